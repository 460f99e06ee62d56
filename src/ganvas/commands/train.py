"""``ganvas train``: train one run or, with ``-m``, a sweep.

A run is implemented in :mod:`ganvas.run.training`, which is imported when a job begins, so that ``--cfg`` answers at
once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig

from ganvas.commands.carried import carried
from ganvas.config import CONFIG_PATH, as_given
from ganvas.imports import uncollected
from hydra_plugins.ganvas_sweeper.sweeper import GanvasSweeper

# Hydra finds plugins by searching folders, and does not find those of an editable install.
Plugins.instance().register(GanvasSweeper)


@hydra.main(config_path=CONFIG_PATH, config_name="train", version_base="1.3")
@carried
def main(cfg: DictConfig) -> dict[str, Any]:
    """Train one job, alone or in a sweep; Hydra calls it with the composed config."""
    with uncollected():
        from rich.console import Console

        from ganvas.commands.addresses import print_views
        from ganvas.commands.next_steps import say_next, stopped
        from ganvas.commands.table import print_run
        from ganvas.run.request import Job
        from ganvas.run.training import train
        from ganvas.tracking.signals import Stopped, is_interruption
        from ganvas.tracking.sync import require_delivered

    hydra_config = HydraConfig.get()
    output = Path(hydra_config.runtime.output_dir)
    try:
        result = train(cfg, Job(output, *as_given(hydra_config)))
    except BaseException as stop:
        if is_interruption(stop):
            raise Stopped(stopped(output)) from stop
        raise
    if result and hydra_config.mode is RunMode.RUN:
        console = Console()
        print_run(result, console)
        say_next(result, str(output) if cfg.tracking.offline else result["run_id"], console)
        print_views(result["run_id"], console, cfg.study or "")
        require_delivered(output)
    return result
