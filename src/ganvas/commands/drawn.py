"""What each kind of ``ganvas sample`` gives, and what several kinds ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from omegaconf import DictConfig
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Prior

SHOWN = 256
"""Maximum number of examples in a picture; with more, each is too small to see."""
BATCH = 250


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Examples of a model and a picture of them.

    Args:
        examples: images in [-1, 1], or points.
        picture: ``uint8 (3, h, w)``.
        frames: frames of a movie, ``uint8 (t, 3, h, w)``; None for a kind without one.
        facts: further entries of ``result.json``.
        labels: class of each example; None for a model that is not conditional.
    """

    examples: Tensor
    picture: Tensor
    frames: Tensor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    labels: Tensor | None = None


def require_images(subject: ModelSubject, cfg: DictConfig) -> None:
    """Refuse a model of points.

    Raises:
        ConfigError: names the kind.
    """
    if len(subject.shape) != 3:
        raise ConfigError(f"kind={cfg.kind} shows images, but {cfg.source} makes points; write --kind grid")


def whole_rows(subject: ModelSubject, cfg: DictConfig) -> int:
    """Count the rows of a picture whose rows are steps.

    Raises:
        ConfigError: the model makes points, or there is no whole row of at least two columns.
    """
    require_images(subject, cfg)
    if cfg.columns < 2 or cfg.n < cfg.columns:
        raise ConfigError(f"kind={cfg.kind}: columns={cfg.columns} must be at least 2, and n={cfg.n} at least as many")
    return cfg.n // cfg.columns


def vector_prior(subject: ModelSubject, cfg: DictConfig) -> Prior:
    """Return the distribution of latents for a kind that moves them.

    Raises:
        ConfigError: the latents are codes on a grid.
    """
    prior = subject.prior
    if not isinstance(prior, Prior):
        raise ConfigError(
            f"kind={cfg.kind} moves latents, but those of {cfg.source} are codes, and nothing lies between two codes; "
            "write --kind grid, or reconstruction"
        )
    return prior
