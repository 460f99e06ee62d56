"""The plugin that registers the sweeper: Hydra scans the namespace package ``hydra_plugins``."""
