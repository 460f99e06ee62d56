"""The results file of a reproduction: claims with their judgements, and the conditions of the measurement."""

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
    """Combine the verdicts of a paper's claims: FAIL if any fails, else INCONCLUSIVE if any is, else PASS.

    Args:
        verdicts: verdicts of the claims, at least one.
    """
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict.value in verdicts:
            return verdict
    return Verdict.PASS


def results_file(results: Path, paper: str, scale: str) -> Path:
    """Path of a results file.

    Args:
        results: folder of the results of all papers.
        paper: name of the paper.
        scale: scale of the reproduction.
    """
    return results / paper / "results" / f"{scale}.json"


def record(
    paper: Paper,
    scale: str,
    judged: Mapping[Claim, tuple[Measured, Judgement]],
    report: Mapping[str, float],
    minutes: float,
    seed: int,
    starts: int = 1,
) -> dict[str, Any]:
    """Make the content of ``results/<scale>.json``, without paths of this machine.

    Args:
        paper: the paper that was reproduced.
        scale: scale of the reproduction.
        judged: measurement and judgement by claim.
        report: further numbers by key.
        minutes: duration of the reproduction; of one that went on, since its last start.
        seed: seed of the program.
        starts: how often the reproduction was started; recorded if more than once.
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
            **({"starts": starts} if starts > 1 else {}),
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
    """Replace NaN and infinity, which JSON does not have, by None."""
    return value if math.isfinite(value) else None
