"""``ganvas rerun``: train a run again from its record, and compare weights, scores and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganvas.commands.carried import carried
from ganvas.config import CONFIG_PATH, ConfigError, from_its_folder, moved, recorded_config
from ganvas.run.request import Job
from ganvas.run.training import train
from ganvas.storage.atomic import write_json
from ganvas.storage.checkpoints import read, read_origin
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.tracking.recorded import mark_rerun, recorded
from ganvas.tracking.sync import require_delivered


@hydra.main(config_path=CONFIG_PATH, config_name="rerun", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """Train the run again; Hydra calls it with the composed config."""
    rerun(cfg, Path(HydraConfig.get().runtime.output_dir))


def rerun(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Train a run again, compare weights and scores, and print the differences.

    Args:
        cfg: the config, composed from ``conf/rerun.yaml``.
        output: folder for ``result.json``; the new run writes to its sub-folder ``run``.

    Returns:
        The content of ``result.json``; ``identical`` is whether weights and scores agree to the last bit. Empty in
        every process of a distributed run but the first.

    Raises:
        ConfigError: no run is named, or its config names something that is not trusted.
        RecordError: the run cannot be trained again.
        NotDeliveredError: the store lacks something of the new run, so that the two cannot be compared.
    """
    if cfg.run_id is None:
        raise ConfigError("no RUN_ID; write `ganvas rerun RUN_ID`, as `ganvas train` prints it")
    before = recorded(cfg.run_id)
    again = recorded_config(before.config, cfg.run_id, cfg.trust)
    checkpoint = read(checkpoint_path(cfg.run_id, "run_id"))
    weights, again = checkpoint["state_dict"], from_its_folder(again, read_origin(checkpoint)["folder"])
    folder = output / "run"
    folder.mkdir(parents=True, exist_ok=True)
    found = train(_again(again, cfg, folder), Job(folder, before.choices, before.overrides))
    if not found:  # only the first process of a distributed run has a result
        return {}
    require_delivered(folder)
    after = recorded(found["run_id"])
    changed = differing_weights(weights, read(Path(found["checkpoint"]))["state_dict"])
    scores = differing_scores(before.result["scores"], found["scores"])
    result = {
        "run_id": found["run_id"],
        "rerun_of": before.run_id,
        "identical": not changed and not scores,
        "weights": changed,
        "scores": scores,
        "conditions": differing(before.conditions, after.conditions),
        "output": str(output.absolute()),
    }
    write_json(output / "result.json", result)
    mark_rerun(found["run_id"], before.run_id, output / "result.json")
    print("\n".join(_said(result)))
    return result


def differing_weights(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Find the tensors that do not agree to the last bit, and the largest absolute difference of each.

    Args:
        before: tensors of the old run by name.
        after: tensors of the new run by name.

    Returns:
        Differences by name; infinite if one run lacks the tensor or its shape differs.
    """
    found = {}
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a is None or b is None or a.shape != b.shape:
            found[name] = float("inf")
        elif not a.equal(b):
            found[name] = float((a.double() - b.double()).abs().max())
    return found


def differing_scores(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Find the scores that do not agree to the last bit, with both values.

    Args:
        before: scores of the old run, as ``result.json`` holds them.
        after: scores of the new run, as ``result.json`` holds them.
    """
    values = {key: (before.get(key, {}).get("value"), after.get(key, {}).get("value")) for key in {**before, **after}}
    return {key: {"before": a, "after": b} for key, (a, b) in values.items() if a != b and not (a != a and b != b)}


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Find the conditions that differ, with both values.

    Args:
        before: conditions of the old run by name.
        after: conditions of the new run by name.
    """
    names = dict.fromkeys([*before, *after])
    return {
        name: {"before": before.get(name, ""), "after": after.get(name, "")}
        for name in names
        if before.get(name) != after.get(name)
    }


def _again(before: DictConfig, cfg: DictConfig, folder: Path) -> DictConfig:
    """Make the recorded config that of a new run: outside any study, and trained from the start."""
    own: dict[str, Any] = {
        "study": None,
        "resume": None,
        "trust": list(cfg.trust),
        "tracking": {"offline": False, "parent": None, "run_id": None, "trial": None, "label": None, "also": []},
        "paths": {"output": str(folder)},
    }
    config = OmegaConf.merge(before, own)
    assert isinstance(config, DictConfig)
    for key, value in _given_places(before, cfg).items():
        OmegaConf.update(config, key, value)
    return config


def _given_places(before: DictConfig, cfg: DictConfig) -> dict[str, Any]:
    """Places, by key, that differ from the recorded ones; refuse a key that the data do not have."""
    values = {} if cfg.paths.data is None else moved(before, cfg.paths.data)
    for key in ("data.path", "data.root", "paths.cache"):
        if (value := OmegaConf.select(cfg, key)) is None:
            continue
        if OmegaConf.select(before, key) is None:
            raise ConfigError(f"{key}={value}: the run's data={before.data.name} has no such key; leave it out")
        values[key] = value
    return values


def _said(result: Mapping[str, Any]) -> list[str]:
    """Lines to print: the comparison, and the conditions that have changed since the old run."""
    lines = [f"run {result['run_id']} is a rerun of {result['rerun_of']}"]
    lines += ["identical: weights and scores are the same to the last bit"] if result["identical"] else []
    if moved := result["weights"]:
        worst = max(moved, key=moved.__getitem__)
        lines.append(f"weights differ in {len(moved)} tensors, most in {worst}: by {moved[worst]:.3g}")
    lines += [f"{key}: {pair['before']} before, {pair['after']} now" for key, pair in result["scores"].items()]
    changed = [f"  {key}: {pair['before']} -> {pair['after']}" for key, pair in result["conditions"].items()]
    return [*lines, *(["changed since then:", *changed] if changed else ["no other condition has changed since then"])]
