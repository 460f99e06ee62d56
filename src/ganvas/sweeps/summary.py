"""``result.json`` of a study: every configuration, every seed, and how each ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.storage.atomic import write_json
from ganvas.sweeps.errors import SweepError
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.study import NOTE, Configuration, Job, Study
from ganvas.tracking.outcomes import FINISHED


def write_summary(study: Study, settings: Settings, run_id: str, folder: Path) -> dict[str, Any]:
    """Write it.

    Args:
        study: as it stands.
        settings: of the sweep.
        run_id: of the study's run in MLflow.
        folder: of the sweep.

    Returns:
        What it holds.
    """
    latest = {c.hash: c for c in study.configurations() if NOTE not in c.attributes}
    jobs = [job for c in latest.values() for job in c.jobs.values() if job.done]
    result = {
        "study": study.name,
        "run_id": run_id,
        "objectives": dict(zip(settings.objectives, settings.directions, strict=False)),
        "finished": sum(job.outcome == FINISHED for job in jobs),
        "failed": sum(job.outcome != FINISHED for job in jobs),
        "configurations": [_configuration(c) for c in latest.values()],
        "output": str(folder.absolute()),
    }
    write_json(folder / "result.json", result)
    return result


def refuse_nothing(result: dict[str, Any]) -> None:
    """A sweep of which not one job finished did not do what it says.

    Args:
        result: from :func:`write_summary`.

    Raises:
        SweepError: all failed; its exit code is 2 where all input was bad, else 1.
    """
    jobs = [job for configuration in result["configurations"] for job in configuration["seeds"]]
    failures = [job for job in jobs if job["outcome"] not in (FINISHED, "")]
    if result["finished"] or not failures:
        return
    codes = {job["exit_code"] for job in failures}
    message = f"all {len(failures)} jobs failed, the first with: {failures[0]['reason']}"
    raise SweepError(message, 2 if codes == {2} else 1)


def _configuration(c: Configuration) -> dict[str, Any]:
    seeds = [_job(seed, job) for seed, job in c.jobs.items()]
    return {"trial": c.number, "configuration": c.hash, "label": c.label, "state": c.state.name.lower(), "seeds": seeds}


def _job(seed: int, job: Job) -> dict[str, Any]:
    kept = ("outcome", "reason", "run_id", "output", "exit_code", "scores")
    return {"seed": seed, **{key: value for key, value in job.as_dict().items() if key in kept}}
