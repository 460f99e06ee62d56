"""The outcome of a training, to compare a disturbed one with an undisturbed one."""

import hashlib
import json
from pathlib import Path

import torch

from ganvas.tracking.journal import Journal

from .forked import command, statuses, stored


def digest(path):
    """SHA-256 of the weights and averages of a checkpoint."""
    hashed = hashlib.sha256()
    for name, value in sorted(torch.load(path, weights_only=True)["state_dict"].items()):
        hashed.update(name.encode())
        hashed.update(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()


def values(scores):
    return {key: score["value"] for key, score in scores.items()}


def outcome(folder):
    """Weights, scores and history of the run that has ended in a folder."""
    result = json.loads(Path(folder, "out", "result.json").read_text())
    assert statuses(folder)[result["run_id"]] == "FINISHED", marks(folder)
    numbers, pictures = stored(folder, result["run_id"])
    return {
        "weights": digest(Path(folder, "out", "last.ckpt")),
        "scores": values(result["scores"]),
        "best": result["best"] and values(result["best"]["scores"]),
        "numbers": numbers,
        "pictures": pictures,
    }


def differences(found, expected):
    """Names of what differs; of the numbers, the keys."""
    parts = [part for part in expected if part != "numbers" and found[part] != expected[part]]
    keys = sorted(found["numbers"].keys() | expected["numbers"].keys())
    return parts + [key for key in keys if found["numbers"].get(key) != expected["numbers"].get(key)]


def settle(folder, arguments):
    """Go on until the training has ended and its store has everything, and check that nobody is left running."""
    code, _ = command(folder, ["sync", "out"]) if Path(folder, "out").exists() else (0, None)
    assert code == 0, said(folder)
    if "FINISHED" not in statuses(folder).values():
        for line in ([*arguments, "resume=auto"], ["sync", "out"]):
            assert command(folder, line)[0] == 0, said(folder)
    assert set(statuses(folder).values()) <= {"FINISHED", "KILLED", "FAILED"}


def marks(folder):
    """What became of each run, for a message."""
    journals = {str(path.parent.name): Journal(path.parent).marks() for path in Path(folder).rglob("entries.jsonl")}
    return statuses(folder), {name: [(m["kind"], m.get("status")) for m in found] for name, found in journals.items()}


def said(folder):
    return Path(folder, "said.txt").read_text()[-3000:]
