"""`ganvas sample` of a hierarchy moves the latents of one group, and a training names the KL of each."""

import json

import numpy as np
import pytest
import torch

from ganvas.cli import main
from ganvas.commands import sample
from ganvas.scoring.subjects import open_subject

from ..tiny import TINY, project

GROUPS = [2, 3, 4]
SMALL = [f"network.hierarchy.groups={GROUPS}", "network.hierarchy.hidden=[5,6,7]", "score.every=null"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("groups")
    with project(folder, template):
        assert main(["train", *TINY, "model=ladder_vae", "network=ladder", *SMALL, "paths.output=run"]) == 0
        assert main(["train", *TINY, "model=gan", "score.every=null", "paths.output=gan"]) == 0
    return folder / "run"


@pytest.fixture
def latents(run, tmp_path, monkeypatch):
    """A function from options to the latents that are decoded."""

    def drawn(*options):
        found = []
        monkeypatch.setattr(sample, "_decoded", lambda _, z, *others: found.append(z) or blank(z))
        assert main(["sample", str(run), "-n", "15", "columns=5", "--out", str(tmp_path), *options]) == 0
        return found[0].unflatten(0, (3, 5))

    return drawn


def blank(z):
    return sample.Drawn(torch.zeros(len(z), 1, 28, 28), torch.zeros(3, 8, 8, dtype=torch.uint8))


def test_a_traversal_of_a_group_moves_its_latents_alone(latents):
    rows = latents("--kind", "traversal", "group=2")
    changed = [torch.nonzero(row.std(0) > 0).flatten().tolist() for row in rows]
    assert sorted(sum(changed, [])) == [2, 3, 4]
    assert rows[0, :, changed[0][0]].tolist() == [-3.0, -1.5, 0.0, 1.5, 3.0]


def test_an_interpolation_of_a_group_leaves_the_others_where_they_are(latents):
    rows, whole = latents("--kind", "interpolation", "group=3"), latents("--kind", "interpolation")
    assert torch.equal(rows[..., 5:], whole[..., 5:])
    assert torch.equal(rows[..., :5], whole[:, :1, :5].expand(-1, 5, -1))
    assert whole[..., :5].std(1).min() > 0


def test_pictures_are_made_of_the_moved_group(run, tmp_path):
    line = ["-n", "10", "columns=5", "--kind", "traversal", "group=1", "--out", str(tmp_path)]
    assert main(["sample", str(run), *line]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert np.load(result["array"])["images"].shape == (10, 28, 28)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["run", "--kind", "traversal", "group=4"], r"group=4: expected 1 \(the top group\) to 3; write group=1"),
        (["run", "--kind", "traversal", "group=0"], "group=0: expected 1"),
        (["run", "group=1"], "group=1: kind=grid does not move one group; write kind=traversal"),
        (["gan", "--kind", "traversal", "group=1"], "are one group; leave group out"),
    ],
)
def test_groups_that_are_not_there_are_refused(run, line, said, tmp_path, capsys):
    import re

    assert main(["sample", str(run.parent / line[0]), *line[1:], "--out", str(tmp_path)]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_a_training_scores_the_evidence_and_counts_the_active_units_of_each_group(run):
    subject = open_subject(str(run), torch.device("cpu"))
    assert subject.model.groups == tuple(GROUPS)
    found = json.loads((run / "result.json").read_text())
    assert {"score/likelihood/elbo", "score/likelihood/kl"} <= set(found["scores"])
