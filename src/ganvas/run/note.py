"""The finding on a run in a sentence, and the note that MLflow shows above the run: finding, protocol, links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganvas.display import plus_minus


def sentence(result: Mapping[str, Any], key: str | None) -> str:
    """Write the finding on a run: its score, that of its best checkpoint, and the checks that warn.

    Args:
        result: content of ``result.json``.
        key: of the score; None for a run without scores.
    """
    seen = f"after {result['images_seen']:,} images"
    said = (
        f"Trained on {result['images_seen']:,} images, not scored"
        if key is None
        else f"{_named(key)} {plus_minus(result['scores'][key])} {seen}"
    )
    best = result.get("best")
    if key is not None and best and best["images_seen"] < result["images_seen"]:
        value = plus_minus(best["scores"][key.replace("score/", "best/", 1)])
        said += f"; the best checkpoint has {value} at {best['images_seen']:,}"
    warned = [name for name, finding in result["findings"].items() if finding["state"] != "ok"]
    health = f"Warnings: {', '.join(warned)}" if warned else "No check warns"
    return f"{said}. {health}."


def note(result: Mapping[str, Any], key: str | None, parent: str | None) -> str:
    """Write the note in Markdown.

    Args:
        result: content of ``result.json``.
        key: of the score that the sentence names; None for a run without scores.
        parent: id of the configuration's run; None outside of sweeps.
    """
    warned = [f"- {name}: {f['reason']}" for name, f in result["findings"].items() if f["state"] != "ok"]
    parts = [f"**{sentence(result, key)}**", "\n".join(warned), _protocol(result, key)]
    parts.append("Artifacts: `index.html` has the pictures, `config.yaml` the configuration, `result.json` all scores.")
    if parent is not None:
        parts.append(f"[Configuration with its other seeds](#/runs/{parent})")
    return "\n\n".join(part for part in parts if part)


def _protocol(result: Mapping[str, Any], key: str | None) -> str:
    if key is None or key not in result["protocols"]:
        return ""
    protocol = result["protocols"][key]
    facts = ("reference", "split", "n_real", "n_fake", "weights", "library")
    known = {**protocol["recorded"], **protocol["conditions"]}
    said = ", ".join(f"{fact} {known[fact]}" for fact in facts if fact in known)
    return f"Protocol of {_named(key)}, `{protocol['fingerprint']}`: {said}."


def _named(key: str) -> str:
    return key.partition("/")[2]
