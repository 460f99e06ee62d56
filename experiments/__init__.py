"""Papers and the article to reproduce; installed as the package ``ganvas.experiments``."""
