"""What a reproduction leaves: claims with verdicts, and the conditions they were measured under."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ganvas.papers.claims import Claim, Paper
from ganvas.papers.judgement import Judgement, Measured, Verdict
from ganvas.tracking.provenance import git_state, machine, versions


def overall(verdicts: Sequence[str]) -> Verdict:
    """One verdict for a paper: it fails with any claim, and passes with all.

    Args:
        verdicts: of its claims, at least one.
    """
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict.value in verdicts:
            return verdict
    return Verdict.PASS


def results_file(results: Path, paper: str, scale: str) -> Path:
    """Where what :func:`record` made is kept.

    Args:
        results: folder of all papers' results.
        paper: its name.
        scale: at which it was run.
    """
    return results / paper / "results" / f"{scale}.json"


def record(
    paper: Paper,
    scale: str,
    judged: Mapping[Claim, tuple[Measured, Judgement]],
    report: Mapping[str, float],
    minutes: float,
    seed: int,
) -> dict[str, Any]:
    """The content of ``results/<scale>.json``; what it names is found on any machine.

    Args:
        paper: which.
        scale: at which it was run.
        judged: claims with what was measured and what follows.
        report: further numbers.
        minutes: the run took.
        seed: of the program.
    """
    claims = [_claim(claim, measured, judgement) for claim, (measured, judgement) in judged.items()]
    git = git_state(Path.cwd())
    return {
        "paper": paper.name,
        "scale": scale,
        "verdict": overall([claim["verdict"] for claim in claims]).value,
        "claims": claims,
        "report": dict(report),
        "protocol": {
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "minutes": round(minutes, 1),
            "seed": seed,
            "git": {key: git.get(key) for key in ("commit", "dirty")},
            "versions": versions(),
            "machine": machine(),
        },
    }


def _claim(claim: Claim, measured: Measured, judgement: Judgement) -> dict[str, Any]:
    paper = {"value": claim.value, "plus_minus": claim.plus_minus, "kind": claim.kind, "source": claim.source}
    return {
        "id": claim.id,
        "says": claim.says,
        "where": claim.where,
        "paper": paper,
        "ours": {
            "values": list(measured.values),
            "standard_error": measured.standard_error,
            "estimate": _number(judgement.estimate),
            "interval": None if math.isnan(judgement.low) else [judgement.low, judgement.high],
        },
        "band": str(claim.band),
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else None
