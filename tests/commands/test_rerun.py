"""`ganvas rerun`: the same run again, and what it says where it is not the same."""

import json
import shutil

import pytest
import torch
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.commands.rerun import differing, differing_scores, differing_weights
from ganvas.tracking.store import tracking_uri

from ..tiny import TINY


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def result_of(folder):
    return json.loads(open(f"{folder}/result.json").read())


@pytest.mark.parametrize("model", ["gan", "vae"])
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
    assert main(["train", *TINY, "model=vae", "score.every=null", "paths.output=run"]) == 0
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
