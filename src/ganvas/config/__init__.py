"""The configs: schemas of the roots, composing, checks, and the objects that a config describes."""

from ganvas.config.build import ConfigError, build, check, closest
from ganvas.config.compose import CONFIG_PATH, choices, compose, register, resolved
from ganvas.config.given import followed, following_budget, given_keys
from ganvas.config.recorded import recorded_config

__all__ = [
    "CONFIG_PATH",
    "ConfigError",
    "build",
    "check",
    "choices",
    "closest",
    "compose",
    "followed",
    "following_budget",
    "given_keys",
    "recorded_config",
    "register",
    "resolved",
]

register()
