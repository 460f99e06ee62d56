"""Settings of a sweep besides its search space: the values of ``hydra.sweeper``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from ganvas.health.findings import IN_TRAINING
from ganvas.sweeps import SweepError
from ganvas.sweeps.pruning import PRUNERS
from ganvas.sweeps.samplers import ONE_OBJECTIVE, SAMPLERS
from ganvas.sweeps.seeds import AGGREGATES

DIRECTIONS = ("minimize", "maximize")


@final
@dataclass(frozen=True)
class Settings:
    """Settings, checked at construction.

    Args:
        sampler: key of :data:`~ganvas.sweeps.samplers.SAMPLERS`.
        sampler_seed: seed of every draw of the sampler.
        n_trials: number of trials of a search; of a grid the largest number, None for the whole grid.
        pruner: key of :data:`~ganvas.sweeps.pruning.PRUNERS`.
        prune_on: health checks whose warning prunes a trial, from ``IN_TRAINING``.
        objectives: keys of scores, the first one for the pruner and for racing.
        directions: ``minimize`` or ``maximize`` for each objective.
        aggregate: key of :data:`~ganvas.sweeps.seeds.AGGREGATES`, applied over seeds.
        racing: largest probability of dropping the best trial, in (0, 1); None turns racing off.
        parallel: trials in one batch for the launcher, at least 1.
        threads: threads of torch for each job; None keeps torch's default.
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
        for what, count in (("n_trials", self.n_trials), ("batch", self.parallel)):
            if count is not None and not (isinstance(count, int) and count >= 1):
                raise SweepError(f"hydra.sweeper.{what}={count}: expected a whole number from 1; write {what}=20")
        self._check_objectives()
        if self.sampler != "grid" and not (self.n_trials or 0) > 0:
            raise SweepError(f"hydra.sweeper.sampler={self.sampler} never ends; write hydra.sweeper.n_trials=20")
        if self.racing is not None and not 0 < self.racing < 1:
            raise SweepError(f"hydra.sweeper.racing={self.racing} must be in (0, 1); write 0.05, or null for off")

    def _check_objectives(self) -> None:
        n = len(self.objectives)
        if len(self.directions) != max(n, 1):
            raise SweepError(
                f"hydra.sweeper.direction={list(self.directions)}: {n} objectives need {max(n, 1)} directions"
            )
        one = [f"sampler={self.sampler}"] * (self.sampler in ONE_OBJECTIVE)
        one += [f"pruner={self.pruner}"] * (self.pruner != "none") + ["racing"] * (self.racing is not None)
        if n != 1 and one:
            raise SweepError(f"hydra.sweeper.{one[0]} needs one objective, got {list(self.objectives)}; set objective=")
        if n == 0 and self.sampler != "grid":
            raise SweepError("a search needs an objective, but there is no extractor; set hydra.sweeper.objective=KEY")

    @property
    def in_rounds(self) -> bool:
        """Whether the first seeds of a trial decide if the others are trained."""
        return self.pruner != "none" or bool(self.prune_on) or self.racing is not None
