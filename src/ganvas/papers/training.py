"""``ganvas train`` from inside a paper's program: composed by Hydra as on the command line, logged under the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from ganvas.recording import Job
from ganvas.train import train


@final
class Trainer:
    """Called with overrides, trains once; what is asked for twice is trained twice.

    Args:
        cfg: root of ``conf/reproduce.yaml``, whose paths and tracking hold for the trainings.
        folder: below which each training writes.
        study: of the runs.
        parent: MLflow run of the study.
    """

    def __init__(self, cfg: DictConfig, folder: Path, study: str, parent: str) -> None:
        self._cfg, self._folder, self._study, self._parent, self._count = cfg, folder, study, parent, 0

    def __call__(self, overrides: list[str]) -> dict[str, Any]:
        """What ``result.json`` of the training holds.

        Args:
            overrides: of ``ganvas train``.
        """
        output = self._folder / f"{self._count:03d}"
        self._count += 1
        output.mkdir(parents=True)
        cfg, choices = _compose([*overrides, *self._own(output)])
        return train(cfg, Job(output, choices, overrides))

    def _own(self, output: Path) -> list[str]:
        cfg = self._cfg
        return [
            f"paths.data='{cfg.paths.data}'",
            f"paths.output='{output}'",
            f"study={self._study}",
            f"tracking.parent={self._parent}",
            f"tracking.experiment='{cfg.tracking.experiment}'",
            f"tracking.system_metrics={cfg.tracking.system_metrics}",
        ]


def _compose(overrides: list[str]) -> tuple[DictConfig, dict[str, str]]:
    """A config and its choices, whatever Hydra application this runs in."""
    outer = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("ganvas.conf", version_base="1.3"):
            cfg = compose("train", overrides, return_hydra_config=True)
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = outer
    choices = {group: str(choice) for group, choice in cfg.hydra.runtime.choices.items()}
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, choices
