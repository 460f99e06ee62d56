"""The configs: schemas of the roots, composing, checks, and the objects that a config describes."""

from ganvas.config.build import ConfigError, build, check, closest
from ganvas.config.compose import CONFIG_PATH, choices, compose, register, resolved

__all__ = ["CONFIG_PATH", "ConfigError", "build", "check", "choices", "closest", "compose", "register", "resolved"]

register()
