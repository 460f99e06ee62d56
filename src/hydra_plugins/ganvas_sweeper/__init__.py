"""Hydra finds the sweeper here by scanning ``hydra_plugins``, a namespace package."""
