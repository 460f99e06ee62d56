"""Folders to train in, and what undisturbed trainings come to."""

import shutil
from functools import cache

import pytest

from ganvas.cli import main

from ..tiny import project
from .forked import command
from .kinds import line
from .outcomes import outcome


@pytest.fixture(scope="session")
def fresh(tmp_path_factory, template):
    """Makes folders with a store; everything a training needs is imported here, for all children."""
    with project(tmp_path_factory.mktemp("warm"), template):
        assert main(line("vae")) == 0

    def make():
        folder = tmp_path_factory.mktemp("run")
        shutil.copy(template, folder / "mlflow.db")
        return folder

    return make


@pytest.fixture(scope="session")
def undisturbed(fresh):
    """Outcome of a kind, and the number of points that it passes."""

    @cache
    def train(kind):
        folder = fresh()
        code, points = command(folder, line(kind))
        assert code == 0
        return outcome(folder), points

    return train
