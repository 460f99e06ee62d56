"""The configs: schemas of the roots, composing, checks, what is trusted, and the objects that a config describes."""

from ganvas.config.build import (
    ConfigError,
    build,
    build_as,
    check,
    closest,
    first_line,
    require_counts,
    require_resolvable,
    require_values,
)
from ganvas.config.compose import CONFIG_PATH, choices, compose, register, report_folder
from ganvas.config.given import followed, following_budget, given_keys
from ganvas.config.places import from_its_folder, moved
from ganvas.config.several import as_given, nodes_of, spelled_out
from ganvas.config.trust import names_beyond_ganvas, recorded_config

__all__ = [
    "CONFIG_PATH",
    "ConfigError",
    "as_given",
    "build",
    "build_as",
    "check",
    "choices",
    "closest",
    "compose",
    "first_line",
    "followed",
    "following_budget",
    "from_its_folder",
    "given_keys",
    "moved",
    "names_beyond_ganvas",
    "nodes_of",
    "recorded_config",
    "register",
    "report_folder",
    "require_counts",
    "require_resolvable",
    "require_values",
    "spelled_out",
]

register()
