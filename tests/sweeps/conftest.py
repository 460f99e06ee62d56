"""Sweeps in processes of their own, with what the stores say of them."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from mlflow.tracking import MlflowClient

from ganvas.tracking.store import tracking_uri

from ..tiny import TINY

TWELVE = ["model=gan,wgan,vae", "optimizer.lr=1e-4,1e-3", "seed=1,2", "study=twelve", "checkpoint.every=128"]


@pytest.fixture
def start(store):
    """Starts a sweep; nobody outlives the test."""
    processes = []

    def begin(*overrides, cwd=store):
        command = [sys.executable, "-m", "ganvas", "train", "-m", *TINY, "score.every=null", *overrides]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()


class Runs:
    """The runs of a study in MLflow."""

    def __init__(self, study):
        client = MlflowClient(tracking_uri())
        experiments = [e.experiment_id for e in client.search_experiments()]
        found = client.search_runs(experiments, f"tags.`ganvas.study` = '{study}'", max_results=500)
        self.by_role = {role: [] for role in ("study", "configuration", "run")}
        for run in found:
            self.by_role[run.data.tags["ganvas.role"]].append(run)
        self.jobs = self.by_role["run"]

    def failures(self):
        """What the runs that failed say of it, for the message of a test."""
        tags = [run.data.tags for run in self.jobs if run.info.status == "FAILED"]
        return [{key: value for key, value in of.items() if key.startswith("ganvas.")} for of in tags]

    def statuses(self, role):
        return Counter(run.info.status for run in self.by_role[role])

    def keys(self):
        return Counter((run.data.tags["ganvas.configuration"], run.data.tags["ganvas.seed"]) for run in self.jobs)


@pytest.fixture
def runs_of():
    return Runs


@pytest.fixture
def summary():
    return lambda folder: json.loads(open(f"{folder}/result.json").read())
