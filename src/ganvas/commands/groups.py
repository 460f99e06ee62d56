"""Groups of a hierarchy's latents, which ``ganvas sample`` moves one at a time."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Grouped

MOVING: Final = ("interpolation", "traversal")
"""Kinds that can move the latents of one group, with those of the others fixed."""


def moved(subject: ModelSubject, cfg: DictConfig) -> slice:
    """Return the positions of the latents that a picture moves: those of ``cfg.group``, or all.

    Args:
        subject: the model.
        cfg: the config; ``group`` counts from 1, the top group.

    Raises:
        ConfigError: the model has no groups, or no such group.
    """
    if cfg.group is None:
        return slice(None)
    model = subject.model
    if not isinstance(model, Grouped):
        raise ConfigError(f"group={cfg.group}: the latents of {cfg.source} are one group; leave group out")
    if not 1 <= cfg.group <= len(model.groups):
        raise ConfigError(f"group={cfg.group}: expected 1 (the top group) to {len(model.groups)}; write group=1")
    ends = [0, *accumulate(model.groups)]
    return slice(ends[cfg.group - 1], ends[cfg.group])


def refuse_group(cfg: DictConfig) -> None:
    """Refuse a group for a kind that moves no latents of one group.

    Raises:
        ConfigError: names the kind.
    """
    if cfg.group is not None and cfg.kind not in MOVING:
        raise ConfigError(f"group={cfg.group}: kind={cfg.kind} does not move one group; write kind={MOVING[1]}")
