"""Jobs that a launcher trains at once, and threads for each, so that the jobs do not compete for cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple


class Parallel(NamedTuple):
    """Jobs at once and threads for each.

    Args:
        jobs: number of jobs that run at once, at least 1.
        threads: threads of torch for each job; None keeps torch's default.
    """

    jobs: int
    threads: int | None


def parallel(launcher: Mapping[str, Any], cores: int) -> Parallel:
    """Read the settings of Hydra's basic, joblib, Ray and Submitit launchers.

    Submitit and Ray give each job a number of processors: a job gets as many threads, and without a Slurm array as many
    jobs run as fit on this machine. Joblib gives only the number of jobs: they share the cores evenly.

    Args:
        launcher: ``hydra.launcher`` as a plain dictionary.
        cores: cores of this machine that the process may use, at least 1.
    """
    given = launcher.get("cpus_per_task") or launcher.get("ray", {}).get("remote", {}).get("num_cpus")
    if given:
        return Parallel(launcher.get("array_parallelism") or max(cores // given, 1), given)
    jobs = launcher.get("n_jobs") or 1
    jobs = cores if jobs < 0 else jobs
    return Parallel(launcher.get("array_parallelism") or jobs, max(cores // jobs, 1) if jobs > 1 else None)


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
