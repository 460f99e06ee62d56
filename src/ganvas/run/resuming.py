"""Resuming a training. The checkpoint holds its config, and the command line may change only what moves no number.

``FREE`` lists the keys that may be given. Every other given value, and the data, must be those of the checkpoint.
Intervals that are a share of the budget follow a new budget. A new budget is refused if anything else, such as a
schedule, follows the budget. The accelerator may be given, because ``auto`` depends on the machine anyway, and with it
``cuda_graphs``, which only a GPU has. The number of devices, the strategy and the precision may not, because each
process draws its own noise; nor may ``deterministic``, which chooses other algorithms.

The resumed training continues its MLflow run. If that run is FINISHED or not in this store, a new run begins, and its
tag ``ganvas.resumed_from`` names the old run. ``resume=auto`` of a training that has ended begins nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from omegaconf import DictConfig, OmegaConf

from ganvas.config import (
    ConfigError,
    followed,
    following_budget,
    from_its_folder,
    given_keys,
    moved,
    names_beyond_ganvas,
    recorded_config,
)
from ganvas.data.datamodule import DataModule
from ganvas.run.request import PLACES, Job
from ganvas.storage.checkpoints import newest, read, read_origin
from ganvas.tracking.artifacts import checkpoint_to_resume
from ganvas.tracking.recorded import is_unfinished

AUTO: Final = "auto"
"""``resume=auto`` goes on from a checkpoint in the output folder if there is one, else starts."""
FREE: Final = (
    *("budget", "paths", "study", "tracking", "workers", "log", "grid", "checkpoint", "resume"),
    *("trainer.accelerator", "cuda_graphs", "data.path", "data.root", "sweep", "trust"),
)
"""Keys that may be given, each with all keys below it. Data may have moved: their fingerprints are compared."""
INTERVALS: Final = ("log.every", "grid.every", "checkpoint.every", "ema.every", "score.every")
_OF_ONE_START: Final = {*PLACES, "paths.output", "resume"}


@final
@dataclass(frozen=True, eq=False)
class Resumed:
    """The checkpoint that a training is resumed from.

    Args:
        source: the checkpoint as ``resume=`` and ``init_from=`` take it: its path, or the id of the run that has it.
        path: path of the checkpoint.
        images_seen: images seen at the checkpoint.
        run_id: id of the MLflow run that wrote the checkpoint.
        data: hash of each split, see :func:`content`.
        follows: values that are derived from the budget, see :func:`~ganvas.config.following_budget`.
    """

    source: str
    path: Path
    images_seen: int
    run_id: str
    data: dict[str, str]
    follows: dict[str, str]


def resume(cfg: DictConfig, job: Job) -> tuple[DictConfig, Job, Resumed | None]:
    """Read the checkpoint that ``cfg.resume`` names, and check what the command line gives against it.

    Args:
        cfg: the config composed from the command line.
        job: the request.

    Returns:
        Config and request of the training, and its checkpoint; None in its place if the training starts anew.

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged.
        ConfigError: a given value differs from that of the checkpoint, or the budget is below the images seen.
    """
    path = _path(cfg.resume, job.output)
    if path is None:
        return _with(cfg, {"resume": None}), job, None
    checkpoint = read(path)
    trusted = [*cfg.trust, *names_beyond_ganvas(cfg)]  # what the command line names is the user's own
    old, origin = recorded_config(checkpoint.get("config"), str(path), trusted), read_origin(checkpoint)
    old = from_its_folder(old, origin["folder"])
    given = given_keys(job.overrides)
    follows = {key: written for key, written in origin["follows"].items() if key not in given}
    source = str(path.absolute()) if cfg.resume == AUTO or Path(cfg.resume).exists() else cfg.resume
    resumed = Resumed(source, path, checkpoint["images_seen"], origin["run_id"], origin["data"], follows)
    _refuse_changes(cfg, old, job, given, origin["choices"], source)
    _refuse_budget(cfg, old, given, resumed)
    return _going_on(cfg, old, given, resumed), _same_job(job, given, origin), resumed


def result_of_ended(cfg: DictConfig, job: Job, resumed: Resumed | None) -> dict[str, Any] | None:
    """Read the result of the training in the output folder; None if there is still something to do.

    Args:
        cfg: config of the training that is asked for.
        job: the request.
        resumed: the checkpoint of ``resume=auto``, or None.
    """
    if resumed is None or cfg.tracking.run_id is not None or resumed.images_seen < cfg.budget.images:
        return None
    try:
        result = json.loads((job.output / "result.json").read_bytes())
    except (OSError, ValueError):
        return None
    written = (result.get("run_id"), result.get("images_seen")) if isinstance(result, dict) else None
    return result if written == (resumed.run_id, resumed.images_seen) else None  # else of another command


def origin_of(cfg: DictConfig, job: Job, resumed: Resumed | None) -> dict[str, Any]:
    """Collect the facts that a checkpoint keeps for :func:`resume`, besides ``run_id`` and ``data``.

    Args:
        cfg: config of the training, before anything is built from it: building resolves what follows the budget.
        job: the request.
        resumed: the checkpoint that the training is resumed from, or None.
    """
    follows = following_budget(cfg) if resumed is None else resumed.follows
    folder = str(Path.cwd())  # relative paths of the config are meant from here
    return {"choices": dict(job.choices), "overrides": list(job.overrides), "follows": follows, "folder": folder}


def content(data: DataModule, labelled: bool) -> dict[str, str]:
    """Hash the examples of each split, and the labels that the training reads.

    Args:
        data: data of the training.
        labelled: whether labels reach the model; a fingerprint does not cover them.
    """
    found = data.fingerprints()
    for split in data.source.splits if labelled else ():
        labels = data.examples(split).labels
        if labels is not None:
            found[f"{split} labels"] = hashlib.sha256(labels.numpy().tobytes()).hexdigest()
    return found


def refuse_other_data(resumed: Resumed, now: Mapping[str, str]) -> None:
    """Compare the data with those that the checkpoint was trained on.

    Args:
        resumed: the checkpoint.
        now: hash of each split, see :func:`content`.

    Raises:
        ConfigError: they differ.
    """
    names = dict.fromkeys([*resumed.data, *now])
    changed = [
        f"{name}: {resumed.data.get(name, 'none')[:12]} in the checkpoint, {now.get(name, 'none')[:12]} now"
        for name in names
        if resumed.data.get(name) != now.get(name)
    ]
    if changed:
        raise ConfigError(
            f"resume={resumed.source}: the data are not those of the checkpoint ({'; '.join(changed)}). Give the place "
            f"of the old data, or start a training on these from its weights: init_from={resumed.source}"
        )


def _path(source: str | None, output: Path) -> Path | None:
    if source is not None and not source.strip():
        raise ConfigError("resume is empty; write a checkpoint, a folder with one, a run id, or auto")
    if source == AUTO:
        return newest(output)
    return None if source is None else checkpoint_to_resume(source)


def _refuse_changes(
    cfg: DictConfig, old: DictConfig, job: Job, given: Mapping[str, str], choices: Mapping[str, str], source: str
) -> None:
    changed = []
    for key in given:
        if _is_free(key):
            continue
        if key in job.choices:  # a config group
            before, now = choices.get(key, "None"), job.choices[key]
        else:
            before, now = _value(old, key), _value(cfg, key)
        if before != now:
            changed.append(f"{key}: {before} in the checkpoint, {now} given")
    if changed:
        raise ConfigError(
            f"resume={source} goes on with the recipe of the checkpoint, which differs from what was given "
            f"({'; '.join(changed)}). Leave it out, or start a changed training from these weights: init_from={source}"
        )


def _refuse_budget(cfg: DictConfig, old: DictConfig, given: Mapping[str, str], resumed: Resumed) -> None:
    budget, seen = cfg.budget.images, resumed.images_seen
    if "budget.images" in given and budget != old.budget.images and budget < seen:
        raise ConfigError(
            f"budget.images={budget}: the checkpoint {resumed.source} has seen {seen} images already; "
            f"give a budget above {seen}, or start a training from its weights: init_from={resumed.source}"
        )


def _going_on(cfg: DictConfig, old: DictConfig, given: Mapping[str, str], resumed: Resumed) -> DictConfig:
    """Make the config: that of the checkpoint, with the given values of ``FREE`` and the places of this run."""
    run_id = resumed.run_id if resumed.run_id and is_unfinished(resumed.run_id) else None
    values: dict[str, Any] = {"tracking.run_id": run_id}
    values |= {key: _value(cfg, key) for key in given if _is_free(key) and key not in ("resume", "sweep")}
    values |= {"paths.output": cfg.paths.output, "resume": resumed.source}
    config = _with(old, values)
    if config.budget.images != old.budget.images:
        config = _with(config, _new_intervals(config, old, resumed))
    if config.paths.data != old.paths.data:
        config = _with(config, {k: value for k, value in moved(old, config.paths.data).items() if k not in given})
    return config


def _new_intervals(config: DictConfig, old: DictConfig, resumed: Resumed) -> dict[str, int]:
    """Compute the intervals for a new budget; refuse the budget if anything else follows it."""
    other = [key for key in resumed.follows if key not in INTERVALS]
    if other:
        raise ConfigError(
            f"budget.images: {old.budget.images} in the checkpoint, {config.budget.images} given, and "
            f"{', '.join(other)} follows it, so that the training would be another. Leave it out, or start a changed "
            f"training from these weights: init_from={resumed.source}"
        )
    return {key: followed(config, written) for key, written in resumed.follows.items()}


def _same_job(job: Job, given: Mapping[str, str], origin: Mapping[str, Any]) -> Job:
    """Make the request: choices and overrides of the checkpoint, then the given ones, so that the name stays."""
    kept = given_keys(origin["overrides"])
    own = [override for key, override in kept.items() if key not in given and key not in _OF_ONE_START]
    return replace(job, choices={**job.choices, **origin["choices"]}, overrides=[*own, *job.overrides])


def _is_free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def _value(cfg: DictConfig, key: str) -> Any:
    value = OmegaConf.select(cfg, key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _with(cfg: DictConfig, values: Mapping[str, Any]) -> DictConfig:
    """Copy a config and set values by dotted key."""
    copy = deepcopy(cfg)
    for key, value in values.items():
        OmegaConf.update(copy, key, value, force_add=True)
    return copy
