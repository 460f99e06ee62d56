"""The sweeper as Hydra sees it: its settings, and nothing heavy, since every Hydra application imports it."""

# No `from __future__ import annotations`: Hydra executes plugins before they are in sys.modules, where dataclass looks
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GanvasSweeperConf:
    """``hydra.sweeper``; what each value means stands in the README."""

    _target_: str = "hydra_plugins.ganvas_sweeper.sweeper.GanvasSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    when: dict[str, Any] = field(default_factory=dict)
    seeds: Any = None
    sampler: str = "grid"
    sampler_seed: int = 1
    n_trials: int | None = None
    pruner: str = "none"
    prune_on: Any = field(default_factory=list)
    objective: Any = None
    direction: Any = "minimize"
    aggregate: str = "mean"
    racing: float | None = None
    storage: str | None = None
    batch: int | None = None


ConfigStore.instance().store(group="hydra/sweeper", name="ganvas", node=GanvasSweeperConf, provider="ganvas")


class GanvasSweeper(Sweeper):
    """Hands a multirun to :mod:`ganvas.sweeps`."""

    def __init__(
        self,
        params: Any,
        when: Any,
        seeds: Any,
        sampler: str,
        sampler_seed: int,
        n_trials: int | None,
        pruner: str,
        prune_on: Any,
        objective: Any,
        direction: Any,
        aggregate: str,
        racing: float | None,
        storage: str | None,
        batch: int | None,
    ) -> None:
        """Hydra's: the arguments are read from the config in :meth:`sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook before :meth:`sweep`."""
        self._arguments = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep of a command line.

        Args:
            arguments: its overrides.
        """
        from ganvas.sweeps.multirun import multirun

        return multirun(*self._arguments, arguments)
