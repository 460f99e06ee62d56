"""What one user left, used by another: read where it may be read, named where it may not.

The second user is this account without the right to pass over permissions; what the first left belongs to `nobody`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.cli import main

from ..tiny import TINY, project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("setpriv") is None or os.getuid() != 0, reason="needs root and setpriv"),
]
LOST = "-dac_override,-dac_read_search,-fowner"
SMALL = [*TINY, "model=vae", "budget.images=128", "score.every=null"]
NOBODY = 65534


@pytest.fixture(scope="module")
def first(tmp_path_factory, template):
    """Folder of the first user: a store, a study, a cache."""
    folder = tmp_path_factory.mktemp("first")
    with project(folder, template):
        assert main(["train", "-m", *SMALL, "optimizer.lr=1e-4,1e-3", "study=st", "seed=1"]) == 0
    folder.chmod(0o755)
    give(folder, NOBODY)
    yield folder
    give(folder, 0)


def give(folder, owner):
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, owner)
        path.chmod(path.stat().st_mode & ~0o022)


@pytest.fixture
def second(store):
    def run(*arguments, uri=None):
        line = ["setpriv", f"--bounding-set={LOST}", f"--inh-caps={LOST}", sys.executable, "-m", "ganvas", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"MLFLOW_TRACKING_URI": uri} if uri else {})}
        done = subprocess.run(line, cwd=store, env=environment, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


def content(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def training(folder):
    return next((folder / "outputs" / "st").glob("*/seed-1"))


def scores(path):
    return {key: score["value"] for key, score in json.loads(path.read_text())["scores"].items()}


def test_what_may_be_read_is_used_and_nothing_is_changed(first, second, store):
    before, other = content(first), training(first)
    cache = f"paths.cache={first}/cache"
    code, said = second("train", *SMALL, "optimizer.lr=1e-3", "seed=1", cache, "paths.output=cached")
    assert code == 0 and "cannot be written" not in said  # all that it needs is there
    assert scores(store / "cached" / "result.json") in [scores(p) for p in first.glob("outputs/st/*/*/result.json")]
    code, _ = second("train", f"resume={other}", "budget.images=256", "paths.output=longer")
    assert code == 0 and json.loads(Path("longer/result.json").read_text())["images_seen"] == 256
    assert second("sample", str(other / "last.ckpt"), "-n", "4", "--out", "drawn")[0] == 0
    assert second("score", str(other / "last.ckpt"), "metrics=[fd]", "n=40", "calibration=false")[0] == 0
    assert content(first) == before


def test_a_cache_that_lacks_something_costs_a_warning(first, second, store):
    (empty := first / "empty").mkdir()
    give(empty, NOBODY)
    code, said = second("train", *SMALL, f"paths.cache={empty}", "paths.output=out")
    assert code == 0 and "cannot be written" in said and not list(empty.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["train", *SMALL, "paths.output={}/outputs/x"], "{}/outputs/x: Permission denied", 2),
        (["train", "-m", *SMALL, "seed=1,2", "hydra.sweeper.storage=sqlite:///{}/sweeps.db"], "{}/sweeps.db", 2),
        (["train", f"resume={{}}/{training}", "paths.output={}/outputs/y"], "{}/outputs/y: Permission denied", 2),
    ],
)
def test_a_folder_that_may_not_be_written_is_named(first, second, arguments, expected, code):
    place = training(first).relative_to(first)
    given = [argument.replace(f"{{}}/{training}", f"{{}}/{place}").format(first) for argument in arguments]
    found, said = second(*given)
    assert found == code and expected.format(first) in said


def test_a_store_that_may_only_be_read_is_reported_on_and_says_what_it_did_not_take(first, second, store):
    uri = f"sqlite:///{first}/mlflow.db"
    code, said = second("report", "st", uri=uri)
    assert code == 1 and "the report is written" in said and list(store.glob("outputs/**/report.html"))
    run_id = json.loads((training(first) / "result.json").read_text())["run_id"]
    code, said = second("score", run_id, "metrics=[fd]", "n=40", "calibration=false", uri=uri)
    assert code == 1 and "the scores were measured" in said and "readonly database" in said
    code, said = second("train", *SMALL, "paths.output=out", uri=uri)
    assert code == 1 and "a folder you may write to" in said and not (store / "out" / "last.ckpt").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "{}/last.ckpt", "-n", "4"],
        ["score", "{}/last.ckpt"],
        ["train", "resume={}", "paths.output=out"],
        ["train", *SMALL, "init_from={}/last.ckpt"],
        ["train", *SMALL, "data=folder", "data.path={}", "data.size=16", "extractor=none"],
        ["sync", "{}"],
    ],
)
def test_a_folder_that_may_not_be_entered_is_named(first, second, arguments):
    first.chmod(0o700)
    try:
        place = str(training(first))
        code, said = second(*(argument.format(place) for argument in arguments))
    finally:
        first.chmod(0o755)
    assert code == 2 and place in said and "Permission denied" in said
