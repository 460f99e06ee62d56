"""The interface of the sweeper to Hydra. It imports little, because every Hydra application here imports it."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GanvasSweeper(Sweeper):
    """Passes a multirun to :mod:`ganvas.sweeps`; its config is ``ganvas.config.schema.Sweeper``."""

    def __init__(self, **settings: Any) -> None:
        """Ignore Hydra's arguments: :meth:`sweep` reads the settings from the config."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep Hydra's context for :meth:`sweep`."""
        self._arguments = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that the overrides describe."""
        from ganvas.sweeps.multirun import multirun

        return multirun(*self._arguments, arguments)
