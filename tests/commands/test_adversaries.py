"""An autoencoder with a critic from the command line: what its run holds, and what each command makes of it."""

import json
from pathlib import Path

import pytest

from ganvas.cli import main
from ganvas.storage.checkpoints import read

from ..tiny import TINY, project

SMALL = [*TINY, "score.every=null", "extractor=none", "score.select=null", "prior.dim=4"]
SMALL += ["network.encoder.hidden=[8]", "network.decoder.hidden=[8]", "model.adversary.critic.hidden=[8]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, template):
    """An AAE, trained for a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        assert main(["train", "model=aae", "objective=hinge", "constraint=r1", *SMALL, "paths.output=aae"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(runs, monkeypatch):
    monkeypatch.chdir(runs)


def test_the_run_holds_three_networks_and_findings_on_three_players():
    parts = {key.split(".")[0] for key in read(Path("aae", "last.ckpt"))["state_dict"]}
    assert parts == {"encoder", "decoder", "critic", "averages"}
    findings = json.loads(Path("aae", "result.json").read_text())["findings"]
    players = {f"{player}_gradient_norms" for player in ("vae", "critic", "encoder")}
    assert {*players, "discriminator_saturation", "active_units", "finite"} <= findings.keys()


@pytest.mark.parametrize("kind", ["grid", "reconstruction", "traversal"])
def test_it_is_sampled_as_a_vae(kind, tmp_path):
    assert main(["sample", "aae", "-n", "8", "--kind", kind, "--out", str(tmp_path)]) == 0
    assert list(tmp_path.glob("*.png"))


def test_it_has_no_bound_and_says_so(capsys):
    assert main(["score", "aae", "metrics=[nll]", "paths.output=bound"]) == 2
    assert "nll" in capsys.readouterr().err


def test_the_dry_run_names_the_game(capsys):
    assert main(["train", "model=aae", "constraint=r1", *SMALL, "--dry-run"]) == 0
    assert "objective non_saturating, constraint r1" in capsys.readouterr().out
