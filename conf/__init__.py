"""Hydra configs of ganvas; installed as the package ``ganvas.conf``."""
