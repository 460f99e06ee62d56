"""Time of ``ganvas report`` on a study of 1,000 and of 10,000 runs, in a process of its own, its start included.

The runs are written into an SQLite store as a sweep writes them (five seeds of each configuration, two scores, a
parameter), without artifacts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

import numpy as np
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from benchmarks.places import in_an_empty_folder
from benchmarks.rows import Found, Options, alone
from ganvas.tracking import hierarchy as h
from ganvas.tracking.store import open_store

STUDY, SEEDS, SCORE = "benchmark", 5, "score/mnist/fd"


def measure(runs: int, options: Options) -> Found:
    """Fill a store, and measure the seconds of a report."""
    with in_an_empty_folder():
        _fill(runs)
        seconds = []
        for i in range(options.rounds):
            start = time.perf_counter()
            command = [sys.executable, "-m", "ganvas", "report", STUDY, f"paths.output=report-{i}"]
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    return Found(seconds, "s")


def _fill(runs: int) -> None:
    client, experiment = open_store("ganvas")
    tags = {h.ROLE: h.STUDY, h.STUDY_TAG: STUDY, h.OBJECTIVE_TAG: SCORE, h.DIRECTION_TAG: "minimize"}
    study = client.create_run(experiment, run_name=STUDY, tags=tags).info.run_id
    draw = np.random.default_rng(0)
    for i in range(runs // SEEDS):
        tags = {h.ROLE: h.CONFIGURATION, h.STUDY_TAG: STUDY, h.TRIAL_TAG: str(i), "mlflow.parentRunId": study}
        parent = client.create_run(experiment, run_name=f"lr {i}", tags=tags).info.run_id
        for seed in range(1, SEEDS + 1):
            _run(client, experiment, parent, i, seed, 20 + i / 100 + float(draw.normal()))


def _run(client: MlflowClient, experiment: str, parent: str, i: int, seed: int, score: float) -> None:
    label = f"optimizer.lr={1e-4 * (1 + i):.4g}"
    tags = {h.ROLE: h.RUN, h.STUDY_TAG: STUDY, h.CONFIGURATION_TAG: f"{i:012d}", h.LABEL_TAG: label}
    tags |= {"mlflow.parentRunId": parent, "ganvas.model": "gan", "ganvas.seed": str(seed)}
    tags |= {f"ganvas.protocol.{SCORE}": "0" * 12}
    run = client.create_run(experiment, run_name=label, tags=tags).info.run_id
    values = {SCORE: score, "score/mnist/is": 10 / score, "val/mnist/fd": score}
    metrics = [Metric(key, value, 1_000_000 + seed, 6400) for key, value in values.items()]
    client.log_batch(run, metrics, [Param("seed", str(seed)), Param("optimizer.lr", label.partition("=")[2])])
    client.set_terminated(run, "FINISHED")


PARTS = (
    alone("report_1000", "", 6.0, partial(measure, 1_000)),
    alone("report_10000", "", 45.0, partial(measure, 10_000)),
)
