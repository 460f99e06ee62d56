"""``ganvas rerun``: a run trained again from what it recorded, and held against it, top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganvas.commands.train import train
from ganvas.config import CONFIG_PATH, ConfigError
from ganvas.run.recording import Job
from ganvas.storage.atomic import write_json
from ganvas.storage.checkpoints import read
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.tracking.recorded import Recorded, mark_rerun, recorded


@hydra.main(config_path=CONFIG_PATH, config_name="rerun", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Hydra's entry."""
    rerun(cfg, Path(HydraConfig.get().runtime.output_dir))


def rerun(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Train again, compare weights and scores, and say what differs.

    Args:
        cfg: root of ``conf/rerun.yaml``.
        output: folder for ``result.json``; the new run's own is ``run`` in it.

    Returns:
        What ``result.json`` holds: ``identical`` is whether weights and scores are the same to the last bit. Empty in
        all processes of a distributed run but the first.

    Raises:
        ConfigError: no run is named.
        RecordError: a run that cannot be trained again.
    """
    if cfg.run_id is None:
        raise ConfigError("no RUN_ID; write `ganvas rerun RUN_ID`, as `ganvas train` prints it")
    before = recorded(cfg.run_id)
    weights = read(checkpoint_path(cfg.run_id))["state_dict"]
    folder = output / "run"
    folder.mkdir(parents=True, exist_ok=True)
    found = train(_again(before, cfg, folder), Job(folder, before.choices, before.overrides))
    if not found:  # a process of a distributed run but the first
        return {}
    after = recorded(found["run_id"])
    moved = differing_weights(weights, read(Path(found["checkpoint"]))["state_dict"])
    scores = differing_scores(before.result["scores"], found["scores"])
    result = {
        "run_id": found["run_id"],
        "rerun_of": before.run_id,
        "identical": not moved and not scores,
        "weights": moved,
        "scores": scores,
        "conditions": differing(before.conditions, after.conditions),
        "output": str(output.absolute()),
    }
    write_json(output / "result.json", result)
    mark_rerun(found["run_id"], before.run_id, output / "result.json")
    print("\n".join(_said(result)))
    return result


def differing_weights(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Largest absolute difference of every tensor that is not the same to the last bit; infinite where a side lacks it.

    Args:
        before: by name.
        after: by name.
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
    """Both values of every score that is not the same to the last bit.

    Args:
        before: as in ``result.json``.
        after: as in ``result.json``.
    """
    values = {key: (before.get(key, {}).get("value"), after.get(key, {}).get("value")) for key in {**before, **after}}
    return {key: {"before": a, "after": b} for key, (a, b) in values.items() if a != b and not (a != a and b != b)}


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Both values of every condition that is not the same.

    Args:
        before: by name.
        after: by name.
    """
    names = dict.fromkeys([*before, *after])
    return {
        name: {"before": before.get(name, ""), "after": after.get(name, "")}
        for name in names
        if before.get(name) != after.get(name)
    }


def _again(before: Recorded, cfg: DictConfig, folder: Path) -> DictConfig:
    """The recorded config as a run of its own: no study, and from the start, as the old run was once."""
    own: dict[str, Any] = {
        "study": None,
        "resume": None,
        "tracking": {"parent": None, "run_id": None, "trial": None, "label": None},
        "paths": {"output": str(folder), **({} if cfg.paths.data is None else {"data": cfg.paths.data})},
    }
    config = OmegaConf.merge(OmegaConf.create(before.config), own)
    assert isinstance(config, DictConfig)
    return config


def _said(result: Mapping[str, Any]) -> list[str]:
    """What a reader wants to know first."""
    lines = [f"run {result['run_id']} is a rerun of {result['rerun_of']}"]
    lines += ["identical: weights and scores are the same to the last bit"] if result["identical"] else []
    if moved := result["weights"]:
        worst = max(moved, key=moved.__getitem__)
        lines.append(f"weights differ in {len(moved)} tensors, most in {worst}: by {moved[worst]:.3g}")
    lines += [f"{key}: {pair['before']} before, {pair['after']} now" for key, pair in result["scores"].items()]
    changed = [f"  {key}: {pair['before']} -> {pair['after']}" for key, pair in result["conditions"].items()]
    return [*lines, *(["what changed since:", *changed] if changed else ["nothing else has changed since"])]


if __name__ == "__main__":
    main()
