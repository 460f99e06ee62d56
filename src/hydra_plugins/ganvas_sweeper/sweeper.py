"""The sweeper as Hydra sees it, and nothing heavy: every Hydra application of this environment imports it."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GanvasSweeper(Sweeper):
    """Hands a multirun to :mod:`ganvas.sweeps`; ``ganvas.config.schema.Sweeper`` is its config."""

    def __init__(self, **settings: Any) -> None:
        """Hydra's hook: the settings are read from the config in :meth:`sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook before :meth:`sweep`."""
        self._arguments = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that these overrides of the command line describe."""
        from ganvas.sweeps.multirun import multirun

        return multirun(*self._arguments, arguments)
