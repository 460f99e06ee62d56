"""What a sweep is asked for besides its space: the values of ``hydra.sweeper``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from ganvas.health.findings import IN_TRAINING
from ganvas.sweeps.aggregate import AGGREGATES
from ganvas.sweeps.errors import SweepError
from ganvas.sweeps.samplers import ONE_OBJECTIVE, PRUNERS, SAMPLERS

DIRECTIONS = ("minimize", "maximize")


@final
@dataclass(frozen=True)
class Settings:
    """Checked when made.

    Args:
        sampler: key of ``SAMPLERS``.
        sampler_seed: of it.
        n_trials: configurations of a search; of a grid at most so many, None for all.
        pruner: key of ``PRUNERS``.
        prune_on: health checks whose warning prunes a configuration, of ``IN_TRAINING``.
        objectives: score keys.
        directions: one each.
        aggregate: over seeds, key of ``AGGREGATES``.
        racing: error rate, None for off.
        parallel: configurations in one batch for the launcher.
        threads: of each job; None leaves them.
    """

    sampler: str
    sampler_seed: int
    n_trials: int | None
    pruner: str
    prune_on: tuple[str, ...]
    objectives: tuple[str, ...]
    directions: tuple[Any, ...]
    aggregate: str
    racing: float | None
    parallel: int
    threads: int | None

    def __post_init__(self) -> None:
        for what, known, given in (
            ("sampler", SAMPLERS, (self.sampler,)),
            ("pruner", PRUNERS, (self.pruner,)),
            ("prune_on", IN_TRAINING, self.prune_on),
            ("aggregate", AGGREGATES, (self.aggregate,)),
            ("direction", DIRECTIONS, self.directions),
        ):
            if unknown := [name for name in given if name not in known]:
                raise SweepError(f"hydra.sweeper.{what}={unknown[0]} is unknown; it can be {', '.join(known)}")
        self._check_objectives()
        if self.sampler != "grid" and not (self.n_trials or 0) > 0:
            raise SweepError(f"hydra.sweeper.sampler={self.sampler} never ends; write hydra.sweeper.n_trials=20")
        if self.racing is not None and not 0 < self.racing < 1:
            raise SweepError(f"hydra.sweeper.racing={self.racing} must be in (0, 1); write 0.05, or null for off")

    def _check_objectives(self) -> None:
        n = len(self.objectives)
        if len(self.directions) != max(n, 1):
            raise SweepError(f"{n} objectives need as many directions, got {list(self.directions)}")
        one = [f"sampler={self.sampler}"] * (self.sampler in ONE_OBJECTIVE)
        one += [f"pruner={self.pruner}"] * (self.pruner != "none") + ["racing"] * (self.racing is not None)
        if n != 1 and one:
            raise SweepError(f"hydra.sweeper.{one[0]} needs one objective, got {list(self.objectives)}; set objective=")
        if n == 0 and self.sampler != "grid":
            raise SweepError("a search needs an objective, but there is no extractor; set hydra.sweeper.objective=KEY")

    @property
    def in_rounds(self) -> bool:
        """Whether the first seeds of a configuration decide on the others."""
        return self.pruner != "none" or bool(self.prune_on) or self.racing is not None
