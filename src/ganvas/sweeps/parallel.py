"""How many jobs a launcher trains at once, and how many threads each may take, so that they do not fight over cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple


class Parallel(NamedTuple):
    """What follows from a launcher's settings.

    Args:
        jobs: at once.
        threads: of each; None leaves them.
    """

    jobs: int
    threads: int | None


def parallel(launcher: Mapping[str, Any], cores: int) -> Parallel:
    """Read the settings of Hydra's basic, joblib, Ray and Submitit launchers.

    Where a launcher gives each job its processors (Submitit, Ray), these are its threads, and without a Slurm array as
    many jobs run as this machine has room for; where it only says how many run (joblib), they share the cores.

    Args:
        launcher: ``hydra.launcher``.
        cores: of this machine that the process may use, at least 1.
    """
    given = launcher.get("cpus_per_task") or launcher.get("ray", {}).get("remote", {}).get("num_cpus")
    if given:
        return Parallel(launcher.get("array_parallelism") or max(cores // given, 1), given)
    jobs = launcher.get("n_jobs") or 1
    jobs = cores if jobs < 0 else jobs
    return Parallel(launcher.get("array_parallelism") or jobs, max(cores // jobs, 1) if jobs > 1 else None)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
