"""`ganvas rerun`: the same run again, and what it says where it is not the same."""

import json
import shutil

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.commands.rerun import differing, differing_scores, differing_weights
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def result_of(folder):
    return json.loads(open(f"{folder}/result.json").read())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gan", pytest.param("vae", marks=pytest.mark.slow)])
def test_a_run_that_was_resumed_in_a_study_is_the_same_to_the_last_bit(model, capsys):
    line = ["train", *TINY, f"model={model}", "score.every=null", "seed=3"]
    assert main([*line, "paths.output=half", "budget.images=320"]) == 0
    assert main([*line, "paths.output=whole", "resume=half/last.ckpt", "study=s"]) == 0
    shutil.rmtree("half")
    old = result_of("whole")["run_id"]
    assert main(["rerun", old, "paths.output=again"]) == 0
    found = result_of("again")
    assert found["identical"] and found["weights"] == {} and found["scores"] == {}
    assert found["conditions"] == {} and "to the last bit" in capsys.readouterr().out
    client = MlflowClient(tracking_uri())
    run = client.get_run(found["run_id"])
    assert run.data.tags["ganvas.rerun_of"] == old and run.data.tags["ganvas.study"] == ""
    assert run.info.run_name == client.get_run(old).info.run_name
    assert [f.path for f in client.list_artifacts(found["run_id"], "rerun")] == ["rerun/result.json"]


def test_what_differs_is_named(monkeypatch, capsys):
    assert main(["train", *TINY, *NARROW, "model=vae", "score.every=null", "paths.output=run"]) == 0
    from ganvas.commands import rerun
    from ganvas.run import request

    again = rerun._again
    monkeypatch.setattr(request, "versions", lambda: {"torch": "9.9"})

    def with_another_seed(*arguments):
        config = again(*arguments)
        config.seed = 9
        return config

    monkeypatch.setattr(rerun, "_again", with_another_seed)
    assert main(["rerun", result_of("run")["run_id"], "paths.output=again"]) == 0
    found, said = result_of("again"), capsys.readouterr().out
    assert not found["identical"] and "decoder.output.weight" in found["weights"]
    assert found["conditions"]["version of torch"]["after"] == "9.9"
    assert "score/mnist/fd" in found["scores"] and "weights differ in" in said and "version of torch" in said


def test_differences():
    a = {"w": torch.tensor([1.0, 2.0]), "same": torch.ones(2), "gone": torch.ones(1), "grown": torch.ones(1)}
    b = {"w": torch.tensor([1.0, 2.5]), "same": torch.ones(2), "new": torch.ones(1), "grown": torch.ones(2)}
    inf = float("inf")
    assert differing_weights(a, b) == {"w": 0.5, "gone": inf, "grown": inf, "new": inf}
    nan = float("nan")
    before = {"x": {"value": 1.0}, "nan": {"value": nan}, "gone": {"value": 2.0}}
    after = {"x": {"value": 1.0 + 1e-15}, "nan": {"value": nan}}
    assert differing_scores(before, after) == {
        "x": {"before": 1.0, "after": 1.0 + 1e-15},
        "gone": {"before": 2.0, "after": None},
    }
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == {"b": {"before": "2", "after": "3"}}


@pytest.mark.parametrize(
    ("line", "said"), [([], "no RUN_ID"), (["0" * 32], "no run that came to its end"), (["x", "runid=3"], "runid")]
)
def test_bad_input_is_one_message(line, said, capsys):
    assert main(["rerun", *line]) == 2
    assert said in capsys.readouterr().err


@pytest.fixture
def elsewhere(monkeypatch, store, tmp_path_factory):
    """Works in another folder, on the same store, with the run's output folder and others deleted."""

    def go(*gone):
        for folder in ("run", *gone):
            shutil.rmtree(folder)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    return go


def photographs(path):
    path.parent.mkdir(exist_ok=True)
    np.savez(path, images=np.random.default_rng(0).integers(0, 255, (80, 28, 28), dtype=np.uint8))


OWN = ["train", *TINY, "data=npz", "data.val=20", "data.test=20", "extractor=none", "score.every=null"]
OWN += ["score.select=null", "batch_size=8", "budget.images=40", "paths.output=run"]


@pytest.mark.slow
def test_a_run_is_trained_again_from_its_store_alone(elsewhere, store):
    photographs(store / "mine" / "few.npz")
    assert main(["train", *TINY, "extractor=none", "score.every=null", "score.select=null", "paths.output=first"]) == 0
    assert main([*OWN, "data.path=mine/few.npz", "init_from=first/last.ckpt"]) == 0
    run_id = result_of("run")["run_id"]
    elsewhere()
    before = sorted(store.iterdir())
    assert main(["rerun", run_id, "paths.output=again"]) == 0
    assert result_of("again")["identical"] and result_of("again")["conditions"] == {}
    assert sorted(store.iterdir()) == before  # nothing is written to the old place


@pytest.mark.slow
@pytest.mark.parametrize("given", ["data.path=moved/few.npz", "paths.data=moved"])
def test_data_that_moved_are_given_by_their_new_place(elsewhere, store, capsys, given):
    photographs(store / "mine" / "few.npz")
    assert main([*OWN, "data.path=mine/few.npz", "paths.data=mine"]) == 0
    run_id = result_of("run")["run_id"]
    elsewhere()
    (store / "mine").rename("moved")
    assert main(["rerun", run_id]) == 2 and "mine/few.npz" in capsys.readouterr().err
    assert main(["rerun", run_id, given, "paths.output=again"]) == 0
    assert result_of("again")["identical"] and result_of("again")["conditions"] == {}
    assert main(["rerun", run_id, given, "data.root=x"]) == 2
    assert "data.root=x: the run's data=npz has no such key" in capsys.readouterr().err
