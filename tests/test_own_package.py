"""A package of one's own, installed into an environment of its own: it trains, scores and sweeps."""

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = ["model=gan", "data=blobs", "network=thin", "objective=logistic", "extractor=mnist", "budget.images=320"]
SMALL += ["score.n=60", "score.every=null", "score.settings.is_splits=2", "grid.rows=2", "grid.columns=2"]
SMALL += ["tracking.system_metrics=false", "paths.cache=cache"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment over this one's packages that has the package too."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(ROOT / "examples" / "own_package", folder / "own_package")
    venv.create(folder / "env")
    (packages,) = (folder / "env").glob("lib/*/site-packages")
    (packages / "base.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})")
    python = folder / "env" / "bin" / "python"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", packages]
    command = [sys.executable, "-m", "pip", "install", *options, folder / "own_package"]
    subprocess.run(command, check=True, capture_output=True)
    return python


def run(python, store, *arguments, trust=""):
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | {"GANVAS_TRUST": trust}
    command = [python, "-m", "ganvas", *arguments]
    done = subprocess.run(command, cwd=store, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_parts_from_outside_train_score_and_sweep(python, store):
    conf = ["--config-dir", str(ROOT / "examples" / "own_package" / "conf")]
    run(python, store, "train", *conf, *SMALL, "paths.output=one")
    trained = json.loads((store / "one" / "result.json").read_text())
    assert trained["images_seen"] == 320 and "score/mnist/fd" in trained["scores"]
    own = ["metrics=[fd,centre]", "settings.centre_power=2", "paths.output=scores", "n=60"]
    run(python, store, "score", trained["run_id"], *own, "paths.cache=cache", trust="own_package")
    found = json.loads((store / "scores" / "result.json").read_text())
    conditions = found["protocols"]["score/mnist/centre"]["conditions"]
    assert conditions["settings"] == {"centre_power": 2} and found["scores"]["score/mnist/centre"]["value"] > 0
    run(python, store, "sample", trained["run_id"], "-n", "60", "paths.output=fakes", "trust=[own_package]")
    against = ["reference=blobs", "extractor=mnist", "metrics=[centre]", "paths.output=against", "paths.cache=cache"]
    run(python, store, "score", "fakes/samples.npz", *against, *conf)
    assert json.loads((store / "against" / "result.json").read_text())["reference"] == "blobs"
    swept = [o for o in SMALL if not o.startswith("objective")]
    run(
        python,
        store,
        "train",
        "-m",
        *conf,
        *swept,
        "objective=logistic,hinge",
        "seed=1,2",
        "study=own",
        "paths.output=s",
    )
    jobs = [job for c in json.loads((store / "s" / "result.json").read_text())["configurations"] for job in c["seeds"]]
    assert [job["outcome"] for job in jobs] == ["finished"] * 4


@pytest.mark.slow
def test_its_own_contracts_hold(python):
    done = subprocess.run(
        [python, "-m", "pytest", "-q", ROOT / "examples" / "own_package" / "tests"], capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()[-2000:]


def test_the_package_is_what_its_readme_says():
    folder = ROOT / "examples" / "own_package"
    named = [line.split("`")[1] for line in (folder / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert all((folder / name.replace("<group>/<name>.yaml", "")).exists() for name in named) and sys.version
