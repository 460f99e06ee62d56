"""A stranger's checkpoint or run, given to each command that reads one: nothing in it runs, and nothing is read out."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

import ganvas
from ganvas.cli import main
from ganvas.config import ConfigError
from ganvas.storage.checkpoints import write
from ganvas.tracking.store import tracking_uri

from ..strangers import ATTACKS, SECRET, nodes
from ..tiny import NARROW, TINY, project

SMALL = [*TINY, *NARROW, "budget.images=64", "score.every=null"]
FEW = ["metrics=[fd]", "n=40", "calibration=false", "paths.cache=cache", "paths.output=scored"]
OWN = "from ganvas.data import Identity\ndef plain():\n    return Identity()\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory, template):
    """A trained run: its id, its checkpoint's content, its config, and the folder of its artifacts."""
    folder = tmp_path_factory.mktemp("victim")
    with project(folder, template) as patch:
        patch.setenv("SECRET", SECRET)
        patch.syspath_prepend(folder)
        assert main(["train", *SMALL, "paths.output=own"]) == 0
        run_id = json.loads(Path("own/result.json").read_text())["run_id"]
        checkpoint = torch.load("own/last.ckpt", weights_only=True)
        artifacts = Path(MlflowClient(tracking_uri()).get_run(run_id).info.artifact_uri.removeprefix("file://"))
        yield run_id, checkpoint, OmegaConf.create(checkpoint["config"]), artifacts


@pytest.fixture(scope="module")
def attacks(run):
    return nodes(Path.cwd())


def share(run, **changes):
    """Write a checkpoint, and what the store holds of the run, with these values in the config."""
    run_id, checkpoint, config, artifacts = run
    config = config.copy()
    for key, value in changes.items():
        OmegaConf.update(config, key, value, merge=False, force_add=True)
    text = OmegaConf.to_yaml(config)
    write(Path("shared.ckpt"), {**checkpoint, "config": text})
    shutil.copy("shared.ckpt", artifacts / "checkpoints" / "last.ckpt")
    (artifacts / "config.yaml").write_text(text)
    return run_id


def runs():
    client = MlflowClient(tracking_uri())
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def load(source):
    try:
        ganvas.load(source)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


ROUTES = {
    "score SOURCE": lambda run_id: main(["score", "shared.ckpt", *FEW]),
    "score RUN_ID": lambda run_id: main(["score", run_id, *FEW]),
    "sample SOURCE": lambda run_id: main(["sample", "shared.ckpt", "-n", "4", "--out", "drawn"]),
    "rerun RUN_ID": lambda run_id: main(["rerun", run_id, "paths.output=again"]),
    "load SOURCE": lambda run_id: load("shared.ckpt"),
    "resume": lambda run_id: main(["train", *SMALL, "budget.images=128", "resume=shared.ckpt", "paths.output=on"]),
}


FAST = ("environment", "nested", "script", "torch")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in ATTACKS])
def test_nothing_of_a_stranger_runs_or_is_read_out(name, run, attacks, capfd):
    key, node, witness = attacks[name]
    run_id = share(run, **{key: node})
    before = len(runs())
    for route, go in ROUTES.items():
        assert go(run_id) == 2, route
        said = capfd.readouterr()
        message = said.err.splitlines()[-1]
        assert key in message and "Traceback" not in said.err, route
        assert SECRET not in said.out + said.err and not witness.exists(), route
        if name != "environment":
            assert "trust=[" in message and "GANVAS_TRUST=" in message, route
    assert len(runs()) == before and not any(SECRET in str(r.data.params) for r in runs())


def test_a_config_cannot_trust_itself(run, attacks, capsys):
    _, node, witness = attacks["pandas"]
    run_id = share(run, transform=node, trust=["pandas"])
    for route, go in ROUTES.items():
        assert go(run_id) == 2 and not witness.exists(), route
    assert "transform._target_ names 'pandas.read_pickle'" in capsys.readouterr().err


@pytest.mark.slow
def test_what_the_user_trusts_is_built(run, monkeypatch, capsys):
    Path("own_parts.py").write_text(OWN)
    run_id = share(run, transform={"_target_": "own_parts.plain"})
    routes = {
        "score": ["score", "shared.ckpt", *FEW],
        "sample": ["sample", run_id, "-n", "4", "--out", "drawn"],
        "rerun": ["rerun", run_id, "paths.output=again"],
        "resume": ["train", *SMALL, "budget.images=128", "resume=shared.ckpt", "paths.output=on"],
    }
    for line in routes.values():
        assert main(line) == 2
        assert "trust=[own_parts] or set GANVAS_TRUST=own_parts" in capsys.readouterr().err
        assert main([*line, "trust=[own_parts]"]) == 0
    assert ganvas.load("shared.ckpt", trust=["own_parts"]).sample(2).shape == (2, 1, 28, 28)
    monkeypatch.setenv("GANVAS_TRUST", "other, own_parts")
    for line in routes.values():
        assert main(line) == 0
    assert ganvas.load(run_id).sample(2).shape == (2, 1, 28, 28)


def test_a_program_trusts_what_it_has_itself_asked_for(run):
    Path("own_parts.py").write_text(OWN)
    Path("conf/transform").mkdir(parents=True, exist_ok=True)
    Path("conf/transform/own.yaml").write_text("_target_: own_parts.plain\n")
    result = ganvas.train(*SMALL, "transform=own", config_dir="conf")
    assert result.sample(2).shape == (2, 1, 28, 28)
    found = ganvas.score(result, metrics=["fd"], n=40, calibration=False, **{"paths.cache": "cache"})
    assert "score/mnist/fd" in found
    with pytest.raises(ConfigError, match=r"transform._target_ names 'own_parts.plain'"):
        ganvas.load(result.id)


def test_trust_is_no_part_of_what_a_run_is(run):
    from ganvas.config import compose
    from ganvas.run.identity import job_hash

    line = [*SMALL, "paths.output=x"]
    assert job_hash(compose("train", line)) == job_hash(compose("train", [*line, "trust=[own_parts]"]))
    stored = MlflowClient(tracking_uri()).get_run(run[0]).data
    assert "trust" not in stored.params and "trust" not in stored.tags["mlflow.runName"]
