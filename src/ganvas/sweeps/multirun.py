"""``ganvas train -m``: read command line and sweep file, work on the study, write its ``result.json``."""

from __future__ import annotations

import inspect
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from ganvas.config import as_given, nodes_of
from ganvas.errors import explain
from ganvas.metrics.registry import frechet_name, key
from ganvas.run.identity import configuration_hash
from ganvas.run.refusals import require_study_name
from ganvas.storage.atomic import write_json
from ganvas.sweeps import SweepError
from ganvas.sweeps.composing import JobLoader
from ganvas.sweeps.composite import composites
from ganvas.sweeps.finished import Finished
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import SweepJob
from ganvas.sweeps.launchers import available_cores, parallel
from ganvas.sweeps.lease import Leases
from ganvas.sweeps.outlook import Outlook
from ganvas.sweeps.overrides import quoted
from ganvas.sweeps.pruning import make_pruner
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space, read_space
from ganvas.sweeps.storage import exclusively, open_storage, storage_url
from ganvas.sweeps.study import Job, Study, Trial
from ganvas.sweeps.worker import Places, Worker
from ganvas.tracking.also import require_places
from ganvas.tracking.hierarchy import LOG_SCALE
from ganvas.tracking.outcomes import FINISHED
from ganvas.tracking.owner import Owner
from ganvas.tracking.signals import Stopped, is_interruption, signals_wait
from ganvas.tracking.store import without_password
from ganvas.tracking.sync import deliver_left

FREE = ("study", "workers", "paths.", "tracking.")
"""Keys that two workers of one study may set differently, since they do not change what is trained."""


def multirun(context: HydraContext, task: TaskFunction, config: DictConfig, line: Sequence[str]) -> dict[str, Any]:
    """Work on the study of a command line until no trial is left that another worker does not hold.

    Args:
        context: Hydra's context, with its config loader.
        task: trains one config and returns the content of its ``result.json``.
        config: config of the command line without its swept values.
        line: overrides of the command line.

    Returns:
        The content of the study's ``result.json``.

    Raises:
        SweepError: bad input, or no job finished.
    """
    _refuse_torchrun()
    sweeper = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    assert isinstance(sweeper, dict)
    parse = OverridesParser.create(config_loader=context.config_loader).parse_overrides
    space = read_space(sweeper["params"], sweeper["when"], sweeper["seeds"], line, parse)
    settings = read_settings({str(name): value for name, value in sweeper.items()}, config)
    if config.tracking.offline:
        raise SweepError("tracking.offline=true: a sweep keeps its order in a store; leave it out, or train one by one")
    name = space.fixed.get("study", "null").strip("'\"")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}" if name == "null" else name
    require_study_name(name)
    require_places(config.tracking.also)
    _refuse_folders(config.hydra.overrides.hydra)
    places = _places(config, space, name)
    every, images = config.score.every or config.budget.images, config.budget.images
    url = storage_url(sweeper["storage"])
    study = Study(name, open_storage(url), settings.directions, make_pruner(settings.pruner, every, images))
    hierarchy = Hierarchy(config.tracking.experiment, name)
    with exclusively(study.storage, name):
        _agree(study, space, settings)
        objectives = dict(zip(settings.objectives, settings.directions, strict=False))
        known = {"sampler": settings.sampler, "pruner": settings.pruner, "storage": without_password(url)}
        known |= {LOG_SCALE: ",".join(space.logarithmic())}
        study_run = hierarchy.begin_study(objectives, known, space.keys())
    fixed = [*as_overrides({**space.fixed, "study": quoted(name)})]

    context = HydraContext(cast(ConfigLoader, JobLoader(context.config_loader)), context.callbacks)

    def configure(values: Mapping[str, str]) -> str:
        cfg = context.config_loader.load_sweep_config(config, [*fixed, *as_overrides(values)])
        return configuration_hash(_without_hydra(cfg))

    leases = Leases(study, hierarchy, settings, space, configure)
    print(
        f"study {name}: add `study={name}` to the same command to continue it, or to join it from another machine",
        flush=True,
    )
    try:
        leases.prepare()
        outlook = Outlook.of(study, None if settings.sampler == "grid" else leases.expected * len(space.seeds))
        job = _sweep_job(task, name, url, settings, outlook)
        launcher = Plugins.instance().instantiate_launcher(context, job, config)

        def launch(jobs: list[list[str]], first: int) -> None:
            launcher.launch(jobs, initial_job_idx=first)

        Worker(study, hierarchy, settings, leases, places, fixed, launch).work()
    except BaseException as stop:
        with signals_wait():
            hierarchy.end(study_run, "KILLED")
        if is_interruption(stop):
            raise Stopped(f"interrupted: the same command with study={name} goes on; finished runs are kept") from stop
        raise
    deliver_left(places.root)
    result = write_summary(study, settings, study_run, places.root)
    hierarchy.artifact(str(places.root / "result.json"))
    if not study.running():
        trials = study.latest()
        for step, picture in composites(map(Finished.of, trials)):
            hierarchy.picture("configurations", picture, step)
        hierarchy.end_study(trials)
    require_a_finished_job(result)
    return result


def _sweep_job(task: TaskFunction, study: str, storage: str, settings: Settings, outlook: Outlook) -> SweepJob:
    return SweepJob(
        task=inspect.unwrap(task),  # it records an error, where a command passes it through Hydra
        study=study,
        storage=storage,
        directions=settings.directions,
        objective=settings.objectives[0] if settings.objectives else None,
        pruner=settings.pruner,
        prune_on=settings.prune_on,
        threads=settings.threads,
        worker=Owner.me(),
        explain=explain,
        outlook=outlook,
    )


def _refuse_torchrun() -> None:
    """Refuse a sweep that torchrun started: each of its processes would take other runs, and wait for the others."""
    if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SweepError(
            "torchrun starts the sweep in each of its processes; start it without torchrun: each run starts as many "
            "processes as trainer.devices says"
        )


def _without_hydra(cfg: DictConfig) -> DictConfig:
    """Remove Hydra's own node, which a job does not see."""
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def read_settings(sweeper: Mapping[str, Any], config: DictConfig) -> Settings:
    """Read the settings of a sweep.

    Args:
        sweeper: values of ``hydra.sweeper``.
        config: the composed config with Hydra's own node, whose launcher and extractor they depend on.

    Raises:
        SweepError: a value.
    """
    objectives = _listed(sweeper["objective"], "objective") if sweeper["objective"] is not None else _frechet(config)
    directions: Any = _listed(sweeper["direction"], "direction")
    at_once = parallel(OmegaConf.to_container(config.hydra.launcher, resolve=True), available_cores())  # type: ignore[arg-type]
    return Settings(
        sampler=sweeper["sampler"],
        sampler_seed=sweeper["sampler_seed"],
        n_trials=sweeper["n_trials"],
        pruner=sweeper["pruner"],
        prune_on=_listed(sweeper["prune_on"] or [], "prune_on"),
        objectives=objectives,
        directions=directions,
        aggregate=sweeper["aggregate"],
        racing=sweeper["racing"],
        parallel=sweeper["batch"] or at_once.jobs,
        threads=at_once.threads,
    )


def _listed(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, (str, list)):
        raise SweepError(f"hydra.sweeper.{what}={value}: expected a name or a list of names")
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _frechet(config: DictConfig) -> tuple[str, ...]:
    """Key of the Fréchet distance on the chosen extractor, the first of several; empty without an extractor."""
    nodes = nodes_of(config.extractor)
    if not nodes:
        return ()
    choice = as_given(config.hydra)[0]["extractor"].strip("[]").partition(",")[0]
    name = nodes[0].get("name", choice)
    return (key(name, frechet_name(name)),)


def _refuse_folders(given: Sequence[str]) -> None:
    for override in given:
        if override.lstrip("+").startswith("hydra.sweep."):
            raise SweepError(f"{override}: a sweep writes to outputs/STUDY; write paths.output=DIR for another folder")


def _places(config: DictConfig, space: Space, name: str) -> Places:
    """Folder ``outputs/<study>``, or ``paths.output`` of the command line; set in Hydra's config for its callbacks."""
    given = "paths.output" in space.fixed
    root = Path(config.paths.output if given else f"outputs/{name}")
    with open_dict(config):
        config.hydra.sweep.dir = str(root)
    HydraConfig.instance().set_config(config)
    return Places(root.absolute(), name if given else "")


def _agree(study: Study, space: Space, settings: Settings) -> None:
    study.agree("line", {name: value for name, value in space.fixed.items() if not name.startswith(FREE)})
    study.agree("search space", space.describe())
    shared = {"sampler": settings.sampler, "objective": ",".join(settings.objectives), "pruner": settings.pruner}
    if settings.prune_on:  # left out if empty, so that studies recorded before prune_on existed still agree
        shared["prune_on"] = ",".join(settings.prune_on)
    if settings.sampler != "grid":
        shared |= {"seeds": ",".join(map(str, space.seeds)), "sampler_seed": str(settings.sampler_seed)}
    study.agree("settings", shared)


def as_overrides(values: Mapping[str, str]) -> list[str]:
    """Write values by key as overrides; a key that begins with ``~`` and has no value is a deletion.

    Args:
        values: values in Hydra's grammar.
    """
    return [name if name.startswith("~") and not value else f"{name}={value}" for name, value in values.items()]


def write_summary(study: Study, settings: Settings, run_id: str, folder: Path) -> dict[str, Any]:
    """Write ``result.json``: every trial, every seed, and how each ended.

    Args:
        study: the study, after this worker's last trial.
        settings: objectives and their directions.
        run_id: id of the study's run in MLflow.
        folder: output folder of the sweep.

    Returns:
        The content of the file.
    """
    latest = study.latest()
    jobs = [job for t in latest for job in t.jobs.values() if job.done]
    result = {
        "study": study.name,
        "run_id": run_id,
        "objectives": dict(zip(settings.objectives, settings.directions, strict=False)),
        "finished": sum(job.outcome == FINISHED for job in jobs),
        "failed": sum(job.outcome != FINISHED for job in jobs),
        "configurations": [_trial_entry(t) for t in latest],
        "output": str(folder.absolute()),
    }
    write_json(folder / "result.json", result)
    return result


def require_a_finished_job(result: dict[str, Any]) -> None:
    """Raise if no job of the study finished.

    Args:
        result: content of ``result.json``, from :func:`write_summary`.

    Raises:
        SweepError: all jobs failed; the exit code is 2 if every job had bad input, else 1.
    """
    jobs = [job for configuration in result["configurations"] for job in configuration["seeds"]]
    failures = [job for job in jobs if job["outcome"] not in (FINISHED, "")]
    if result["finished"] or not failures:
        return
    codes = {job["exit_code"] for job in failures}
    message = f"all {len(failures)} jobs failed, the first with: {failures[0]['reason']}"
    raise SweepError(message, 2 if codes == {2} else 1)


def _trial_entry(t: Trial) -> dict[str, Any]:
    seeds = [_job_entry(seed, job) for seed, job in t.jobs.items()]
    return {"trial": t.number, "configuration": t.hash, "label": t.label, "state": t.state.name.lower(), "seeds": seeds}


def _job_entry(seed: int, job: Job) -> dict[str, Any]:
    kept = ("outcome", "reason", "run_id", "output", "exit_code", "scores")
    return {"seed": seed, **{key: value for key, value in job.as_dict().items() if key in kept}}
