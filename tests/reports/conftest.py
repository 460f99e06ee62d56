"""Synthetic studies as a sweep writes them."""

import json
import shutil
import sqlite3
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service import utils

from ganvas.reports import page
from ganvas.scoring.protocol import FINAL, Protocol, library_versions
from ganvas.tracking import hierarchy as h
from ganvas.tracking.store import open_store

from ..tiny import project

SCORE = "score/mnist/fd"
PROTOCOL = Protocol(
    {
        "metric": "fd",
        "revision": 1,
        "extractor": "mnist",
        "weights_hash": "a" * 64,
        "preprocessing": "none",
        "reference_fingerprint": "b" * 64,
        "split": "test",
        "n_real": 1000,
        "n_fake": 1000,
        "weights": "ema",
        "settings": {},
        "library": f"{FINAL} 0.4",
    },
    {"reference": "mnist5k", "sample_seed": 1000, "versions": library_versions()},
)
OTHER = Protocol({**PROTOCOL.conditions, "n_fake": 500}, PROTOCOL.recorded)


@dataclass
class Writer:
    """Writes runs of a study into the store."""

    client: MlflowClient
    experiment: str
    study: str

    def run(self, name, tags, parent=None, status="FINISHED"):
        parent = {} if parent is None else {"mlflow.parentRunId": parent}
        tags = {h.STUDY_TAG: self.study, **parent, **tags}
        run = self.client.create_run(self.experiment, run_name=name, tags=tags, start_time=1_000_000)
        return run.info.run_id

    def seed_run(
        self, model, lr, seed, score, protocol=PROTOCOL, outcome=None, reason="", parent=None, files=True, warns=()
    ):
        label = f"model={model} optimizer.lr={lr}"
        tags = {
            h.ROLE: h.RUN,
            h.CONFIGURATION_TAG: f"{model}{lr}".ljust(12, "0")[:12],
            h.LABEL_TAG: label,
            "ganvas.model": model,
            "ganvas.seed": str(seed),
        }
        tags |= {} if outcome is None else {h.OUTCOME_TAG: outcome, "ganvas.failure": reason}
        tags |= {f"ganvas.health.{check}": "warn" for check in warns} | {"ganvas.health.finite": "ok"}
        keys = (SCORE, "score/mnist/is")
        tags |= {} if score is None else {f"ganvas.protocol.{key}": protocol.fingerprint() for key in keys}
        run_id = self.run(label, tags, parent)
        values = [] if score is None else [(SCORE, score, 6400), ("score/mnist/is", 10 / score, 6400)]
        values += [("val/mnist/fd", 50 / (1 + step / 3200), step) for step in (3200, 6400)]
        metrics = [Metric(key, value, 1_060_000 + step, step) for key, value, step in values]
        self.client.log_batch(run_id, metrics, [Param("seed", str(seed)), Param("optimizer.lr", str(lr))])
        if files and score is not None:
            self.client.log_dict(run_id, {"protocols": {key: protocol.as_dict() for key in keys}}, "result.json")
            for step in (640, 3200, 6400):
                image = np.full((64, 64), step % 255, dtype=np.uint8)
                self.client.log_image(run_id, image, key="samples", step=step, synchronous=True)
        status = {None: "FINISHED", "interrupted": "KILLED", "running": "RUNNING"}.get(outcome, "FAILED")
        if status != "RUNNING":
            self.client.set_terminated(run_id, status, 1_120_000)
        return run_id


@pytest.fixture
def writer(store):
    client, experiment = open_store("ganvas")
    return Writer(client, experiment, "lucic")


@pytest.fixture(scope="session")
def written(template, tmp_path_factory):
    """The folder of a store with a study: gan is 10 worse than wgan_gp, whose two learning rates are the same.

    Four runs fail, one scores NaN.
    """
    folder = tmp_path_factory.mktemp("written")
    with project(folder, template):
        write_study(Writer(*open_store("ganvas"), "lucic"))
    return folder


def write_study(writer):
    root = writer.run("lucic", {h.ROLE: h.STUDY, h.OBJECTIVE_TAG: SCORE, h.DIRECTION_TAG: "minimize"})
    noise = np.random.default_rng(0).normal(0, 0.3, (4, 5))
    for row, (model, lr, mean) in enumerate([("wgan_gp", 0.001, 20), ("wgan_gp", 0.002, 20.02), ("gan", 0.001, 30)]):
        parent = writer.run(f"{model} {lr}", {h.ROLE: h.CONFIGURATION, h.TRIAL_TAG: str(row)}, root)
        for seed in range(1, 6):
            writer.seed_run(model, lr, seed, mean + seed / 2 + noise[row, seed - 1], parent=parent)
    parent = writer.run("gan 0.5", {h.ROLE: h.CONFIGURATION}, root)
    writer.seed_run("gan", 0.5, 1, None, outcome="nan", reason="NonFiniteError: the loss is nan <b>", parent=parent)
    writer.seed_run("gan", 0.5, 2, None, outcome="error", reason="ModuleNotFoundError: no nonsense", parent=parent)
    writer.seed_run("gan", 0.5, 3, None, outcome="interrupted", parent=parent)
    writer.seed_run("gan", 0.002, 1, 31.0, parent=parent)
    writer.seed_run("gan", 0.002, 2, float("nan"), parent=parent)
    writer.seed_run("gan", 0.002, 3, None, outcome="pruned", reason="pruned after 640 images", parent=parent)


@pytest.fixture
def study(written, store, monkeypatch):
    """A copy of the study, artifacts included, in a store of the test's own."""
    monkeypatch.setattr(utils, "_artifact_repos_cache", OrderedDict())  # of the places of another copy's runs
    shutil.copy(written / "mlflow.db", store)
    shutil.copytree(written / "mlruns", store / "mlruns")
    with closing(sqlite3.connect(store / "mlflow.db")) as tables, tables:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            tables.execute(moved, (written.as_uri(), store.as_uri()))
    return Writer(*open_store("ganvas"), "lucic")


@pytest.fixture
def unpainted(monkeypatch):
    """Leave the pictures out, which take most of a report's time."""
    monkeypatch.setattr(page, "_pictures", lambda *arguments: [])


def read_json(path):
    return json.loads(path.read_text())
