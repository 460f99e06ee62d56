"""``ganvas train -m``: a multirun from Hydra's side: line and sweep file in, a study worked on, its table out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import get_valid_filename
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from ganvas.errors import explain
from ganvas.metrics.registry import frechet_name, key
from ganvas.run.identity import configuration_hash
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import SweepJob
from ganvas.sweeps.lease import Claims
from ganvas.sweeps.owners import Owner
from ganvas.sweeps.parallel import available_cores, parallel
from ganvas.sweeps.quoting import quoted
from ganvas.sweeps.samplers import make_pruner
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space, read_space
from ganvas.sweeps.storage import exclusively, open_storage, storage_url
from ganvas.sweeps.study import Study
from ganvas.sweeps.summary import refuse_nothing, write_summary
from ganvas.sweeps.worker import Places, Worker
from ganvas.tracking.signals import signals_wait
from ganvas.tracking.store import without_password

# What may differ between two lines of one study: it does not change what is trained.
FREE = ("study", "workers", "paths.", "tracking.")


def multirun(context: HydraContext, task: TaskFunction, config: DictConfig, line: Sequence[str]) -> dict[str, Any]:
    """Work on the study of a line until nothing is left to take.

    Args:
        context: Hydra's.
        task: trains one config.
        config: of the line, without its swept values.
        line: overrides.

    Returns:
        What the study's ``result.json`` holds.

    Raises:
        SweepError: bad input, or not one job finished.
    """
    sweeper = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    assert isinstance(sweeper, dict)
    parse = OverridesParser.create(config_loader=context.config_loader).parse_overrides
    space = read_space(sweeper["params"], sweeper["when"], sweeper["seeds"], line, parse)
    settings = _settings({str(name): value for name, value in sweeper.items()}, config)
    name = space.fixed.get("study", "null").strip("'\"")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}" if name == "null" else name
    places = _places(config, space, name)
    every, images = config.score.every or config.budget.images, config.budget.images
    url = storage_url(sweeper["storage"])
    study = Study(name, open_storage(url), settings.directions, make_pruner(settings.pruner, every, images))
    hierarchy = Hierarchy(config.tracking.experiment, name)
    with exclusively(study.storage, name):
        _agree(study, space, settings)
        objectives = dict(zip(settings.objectives, settings.directions, strict=False))
        known = {"sampler": settings.sampler, "pruner": settings.pruner, "storage": without_password(url)}
        study_run = hierarchy.begin_study(objectives, known)
    fixed = [*_overrides({**space.fixed, "study": quoted(name)})]

    def configure(values: Mapping[str, str]) -> str:
        cfg = context.config_loader.load_sweep_config(config, [*fixed, *_overrides(values)])
        return configuration_hash(_without_hydra(cfg))

    launcher = Plugins.instance().instantiate_launcher(context, _job(task, name, url, settings), config)

    def launch(jobs: list[list[str]], first: int) -> None:
        launcher.launch(jobs, initial_job_idx=first)

    claims = Claims(study, hierarchy, settings, space, configure)
    print(f"study {name}: `study={name}` on the same line continues it, or joins it from another machine", flush=True)
    try:
        claims.prepare()
        Worker(study, hierarchy, settings, claims, places, fixed, launch).work()
    except BaseException:
        with signals_wait():
            hierarchy.end(study_run, "KILLED")
        raise
    result = write_summary(study, settings, study_run, places.root)
    hierarchy.artifact(str(places.root / "result.json"))
    if not study.running():
        hierarchy.end(study_run, "FINISHED")
    refuse_nothing(result)
    return result


def _job(task: TaskFunction, study: str, storage: str, settings: Settings) -> SweepJob:
    return SweepJob(
        task=task,
        study=study,
        storage=storage,
        directions=settings.directions,
        objective=settings.objectives[0] if settings.objectives else None,
        pruner=settings.pruner,
        prune_on=settings.prune_on,
        threads=settings.threads,
        worker=Owner.me(),
        explain=explain,
    )


def _without_hydra(cfg: DictConfig) -> DictConfig:
    """A job's config as the job sees it."""
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def _settings(sweeper: Mapping[str, Any], config: DictConfig) -> Settings:
    objectives = _listed(sweeper["objective"]) if sweeper["objective"] is not None else _frechet(config)
    directions: Any = _listed(sweeper["direction"])
    at_once = parallel(OmegaConf.to_container(config.hydra.launcher, resolve=True), available_cores())  # type: ignore[arg-type]
    return Settings(
        sampler=sweeper["sampler"],
        sampler_seed=sweeper["sampler_seed"],
        n_trials=sweeper["n_trials"],
        pruner=sweeper["pruner"],
        prune_on=_listed(sweeper["prune_on"] or []),
        objectives=objectives,
        directions=directions,
        aggregate=sweeper["aggregate"],
        racing=sweeper["racing"],
        parallel=sweeper["batch"] or at_once.jobs,
        threads=at_once.threads,
    )


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _frechet(config: DictConfig) -> tuple[str, ...]:
    """The Fréchet distance of the line's extractor; nothing where it has none."""
    choice = config.hydra.runtime.choices.get("extractor")
    if choice in (None, "none"):
        return ()
    name = config.extractor.get("name", choice)
    return (key(name, frechet_name(name)),)


def _places(config: DictConfig, space: Space, name: str) -> Places:
    """``outputs/<study>``, or the folder the line gives; Hydra's own config is told, for its callbacks."""
    folder = get_valid_filename(name)
    given = "paths.output" in space.fixed
    root = Path(config.paths.output if given else f"outputs/{folder}")
    with open_dict(config):
        config.hydra.sweep.dir = str(root)
    HydraConfig.instance().set_config(config)
    return Places(root.absolute(), folder if given else "")


def _agree(study: Study, space: Space, settings: Settings) -> None:
    study.agree("line", {name: value for name, value in space.fixed.items() if not name.startswith(FREE)})
    study.agree("search space", space.describe())
    shared = {"sampler": settings.sampler, "objective": ",".join(settings.objectives), "pruner": settings.pruner}
    if settings.prune_on:  # unsaid where there are none, as in studies from before there could be
        shared["prune_on"] = ",".join(settings.prune_on)
    if settings.sampler != "grid":
        shared |= {"seeds": ",".join(map(str, space.seeds)), "sampler_seed": str(settings.sampler_seed)}
    study.agree("settings", shared)


def _overrides(values: Mapping[str, str]) -> list[str]:
    return [name if name.startswith("~") and not value else f"{name}={value}" for name, value in values.items()]
