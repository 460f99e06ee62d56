"""A training as it was asked for: its name, its hashes, and the MLflow run that records it.

Two configs ask for the same training if their hashes are equal; a hash leaves out what does not change the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from ganvas.data.datamodule import DataModule
from ganvas.run.identity import hashes
from ganvas.run.naming import GROUPS, difference, params, short_name
from ganvas.tracking.also import copied
from ganvas.tracking.artifacts import OUTPUT_TAG
from ganvas.tracking.copies import Original
from ganvas.tracking.cost import booked
from ganvas.tracking.hierarchy import (
    COLOUR_TAG,
    CONFIGURATION_TAG,
    LABEL_TAG,
    PARENT_TAG,
    ROLE,
    RUN,
    SEED_TAG,
    STUDY_TAG,
    colour,
)
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.provenance import git_state, machine, versions
from ganvas.tracking.run import Run, SilentRun
from ganvas.tracking.store import open_store
from ganvas.tracking.sync import deliver_dead, deliver_earlier, end_dead_runs

PLACES: Final = ("tracking.parent", "tracking.run_id", "tracking.trial", "tracking.label")
"""Keys that say where a run of a sweep belongs; the sweep sets them, and neither names nor hashes contain them."""
UNNAMED: Final = {*GROUPS, *PLACES, "experiment", "study", "paths.output", "sweep", "resume", "trust", "tracking.also"}
"""Keys whose overrides are not part of a run's name."""


@final
@dataclass(frozen=True)
class Job:
    """One run of one configuration, as Hydra was asked for it.

    Args:
        output: folder for the checkpoint, the pictures and ``result.json``.
        choices: choice of each config group.
        overrides: arguments of the command line.
    """

    output: Path
    choices: dict[str, str]
    overrides: list[str]

    @property
    def name(self) -> str:
        """Model, data and network, then every other override: the name in ``result.json`` and in tables."""
        rest = [override for override in self.overrides if override.partition("=")[0] not in UNNAMED]
        return " ".join([*(self.choices[group] for group in GROUPS), *rest])


@contextmanager
def start_run(
    cfg: DictConfig, job: Job, data: DataModule, resumed: tuple[Path, int] | None, recipe: str
) -> Iterator[Run]:
    """Open an MLflow run for the length of the block and log everything known before training.

    Every process but the first gets a silent run.

    Args:
        cfg: the composed config.
        job: the request.
        data: its data sets are logged by their fingerprints.
        resumed: folder of the checkpoint that the training goes on from, and images that it has seen; None starts.
        recipe: the resolved config as YAML.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        yield SilentRun()
        return
    git = git_state(Path.cwd())
    tags = _tags(cfg, job, git)
    system = cfg.tracking.system_metrics
    run_id = cfg.tracking.run_id
    if not cfg.tracking.offline:
        if cfg.tracking.parent is None:  # the jobs of a sweep would meet each other here
            end_dead_runs(open_store(cfg.tracking.experiment)[0])
        if run_id is not None and resumed is not None:
            deliver_earlier(resumed[0], run_id, job.output)
        deliver_dead(job.output, but=run_id)
    name = short_name(difference(job.overrides, cfg.tracking.label, UNNAMED), cfg.seed, job.choices)
    with (
        ExitStack() as copies,
        MlflowRun.start(
            cfg.tracking.experiment,
            name,
            tags,
            output=job.output,
            run_id=run_id,
            since=0 if resumed is None else resumed[1],
            system_metrics=system,
            offline=cfg.tracking.offline,
        ) as mlflow_run,
    ):
        # The copies are closed after the record: an upload takes its time, and may fail.
        run = copies.enter_context(_copied(mlflow_run, name, cfg, job, resumed))
        run.params(params(cfg, job.choices, job.overrides))
        run.text("config.yaml", recipe)
        run.text("provenance.json", json.dumps({"versions": versions(), "machine": machine()}, indent=2))
        if diff := git.get("diff"):
            run.text("git.diff", diff)
        for split, fingerprint in data.fingerprints().items():
            source, n = data.source, len(data.examples(split))
            run.dataset(source.name, fingerprint, split, source.shape, n, source.place)
        run.flush()
        with booked(run, _gpus(cfg)):
            yield run


def _tags(cfg: DictConfig, job: Job, git: Mapping[str, Any]) -> dict[str, Any]:
    of_job, of_configuration = hashes(cfg)
    return {
        **{f"ganvas.{group}": job.choices[group] for group in GROUPS},
        SEED_TAG: cfg.seed,
        STUDY_TAG: cfg.study or "",
        "ganvas.config_hash": of_job,
        CONFIGURATION_TAG: of_configuration,
        **_place(cfg),
        "ganvas.overrides": " ".join(job.overrides),
        OUTPUT_TAG: str(job.output.absolute()),
        "ganvas.git_commit": git.get("commit", ""),
        "ganvas.git_dirty": git.get("dirty", ""),
    }


def _copied(
    run: Run, name: str, cfg: DictConfig, job: Job, resumed: tuple[Path, int] | None
) -> AbstractContextManager[Run]:
    """Copy the run to the places that the config names."""
    seen = None if resumed is None else resumed[1]
    original = Original(run.id, cfg.tracking.experiment, name, job.output, seen)
    return copied(run, original, cfg.tracking.get("also", ()))


def _place(cfg: DictConfig) -> dict[str, Any]:
    """Tags that put a run of a sweep below its configuration; none for another run."""
    if cfg.tracking.parent is None:
        return {}
    place = {ROLE: RUN, PARENT_TAG: cfg.tracking.parent, LABEL_TAG: cfg.tracking.label or ""}
    return place if cfg.tracking.trial is None else place | {COLOUR_TAG: colour(cfg.tracking.trial)}


def _gpus(cfg: DictConfig) -> int:
    """Number of GPUs that the processes of the run use together; 0 on processors."""
    if cfg.trainer.get("accelerator", "auto") not in ("auto", "gpu", "cuda") or not torch.cuda.is_available():
        return 0
    devices = cfg.trainer.get("devices", "auto")
    return len(devices) if OmegaConf.is_list(devices) else int(devices) if str(devices).isdigit() else 1
