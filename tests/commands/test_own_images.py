"""A folder of photographs of many sizes: trained on, and scored against, as a newcomer would."""

import json
from pathlib import Path

import mlflow.data
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from rich.console import Console

from ganvas.cli import main
from ganvas.commands.table import print_run
from ganvas.data.sources.scored import Fit, read_folder
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY, project

SIZES = [(40, 28), (28, 40), (64, 31), (33, 50), (28, 28)]
SMALL = ["n=30", "settings.is_splits=2", "settings.kid_subsets=2", "paths.cache=cache", "calibration=false"]
GREY = ["data.size=28", "data.channels=1", "data.resize=stretch", "extractor=mnist"]
FD = "score/mnist/fd"


def draw(folder, sizes=SIZES, n=60):
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(n):
        width, height = sizes[i % len(sizes)]
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{i:03}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, template):
    """A GAN trained on the folder `photos`; its project is the working folder of all tests that use it."""
    with project(tmp_path_factory.mktemp("own"), template):
        draw(Path("photos"))
        line = [*TINY, *NARROW, "model=gan", "data=folder", "data.path=photos", "batch_size=16", "score.n=30", *GREY]
        assert main(["train", *line, "score.every=null", "paths.output=run"]) == 0
        yield json.loads(Path("run/result.json").read_text())


def score(*arguments):
    code = main(["score", *arguments, *SMALL, "paths.output=out"])
    return code, json.loads(Path("out/result.json").read_text()) if code == 0 else None


def fingerprint(found, key=FD):
    return found["protocols"][key]["conditions"]["reference_fingerprint"]


def test_a_run_is_scored_against_the_folder_it_was_trained_on_by_its_own_rule(trained):
    code, found = score("run", "reference=photos", "metrics=[fd]")
    assert code == 0 and found["protocols"][FD]["conditions"]["n_real"] == 60
    assert fingerprint(found) == read_folder(Path("photos"), Fit(28, "stretch", 1)).fingerprint()
    _, cropped = score("run", "reference=photos", "metrics=[fd]", "resize=center_crop")
    assert fingerprint(cropped) == read_folder(Path("photos"), Fit(28, "center_crop", 1)).fingerprint()
    assert fingerprint(cropped) != fingerprint(found)


def test_mlflow_finds_the_files_of_a_data_set(trained):
    inputs = MlflowClient(tracking_uri()).get_run(trained["run_id"]).inputs.dataset_inputs
    assert inputs and {mlflow.data.get_source(given).load() for given in inputs} == {str(Path("photos").absolute())}


def test_two_folders_of_many_sizes_are_brought_to_the_size_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "photos")
    draw(tmp_path / "fakes", SIZES[:2])
    line = ["fakes", "reference=photos", "extractor=random", "metrics=[fd]"]
    assert score(*line)[0] == 2 and "images of different sizes" in (said := capsys.readouterr().err)
    assert "write size=64" in said and "resize=center_crop" in said
    key = "score/random/fd"
    _, found = score(*line, "size=16")
    assert fingerprint(found, key) == read_folder(Path("photos"), Fit(16, "center_crop")).fingerprint()
    _, tall = score(*line, "size=[24,16]", "resize=stretch")
    assert fingerprint(tall, key) == read_folder(Path("photos"), Fit((24, 16), "stretch")).fingerprint()
    assert [note[:36] for note in found["notes"]] == ["n=60 is below 64, the number of feat"]


def test_images_that_have_the_size_are_left_as_they_are(tmp_path):
    draw(tmp_path / "even", [(20, 30)], 3)
    plain = read_folder(tmp_path / "even")
    assert read_folder(tmp_path / "even", Fit((30, 20), "center_crop")).fingerprint() == plain.fingerprint()
    assert read_folder(tmp_path / "even", Fit((20, 30), "center_crop")).shape == (3, 20, 30)


BAD = {
    "fakes reference=photos resize=stretch": "resize=stretch: says how to resize but not to which size; add size=64",
    "fakes reference=photos size=big": "size=big: expected a number of pixels, or [height,width]",
    "fakes reference=photos size=8 resize=crop": "resize=crop: must be one of center_crop, stretch",
    "fakes reference=photos size=0": "size=0: must be at least 1 pixel",
    "x.npz reference=x.npz size=8": "they are for folders of images, and neither SOURCE nor reference is one",
    "fakes reference=fotos/": "reference=fotos/ is missing: no data set has that name, and there is no file or folder",
    "fakes reference=notes.txt": "reference=notes.txt: expected a data set, a folder of images or a file that",
    "gone.npz reference=photos": "path=gone.npz: is missing: no such file",
    "gone/ reference=photos": "and there is no file or folder",
}


@pytest.mark.parametrize("line", BAD)
def test_what_is_missing_or_wrong_is_said(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "photos", n=3)
    draw(tmp_path / "fakes", SIZES[:1], n=3)
    (tmp_path / "notes.txt").write_text("no image")
    np.savez("x.npz", images=np.zeros((3, 8, 8), np.uint8))
    assert score(*line.split(), "extractor=random")[0] == 2
    assert BAD[line] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (["data=folder", "data.path=gone"], "path=gone: is missing: no such folder"),
        (["data=folder", "data.path=notes.txt"], "path=notes.txt: is a file, expected a folder"),
        (["data=npz", "data.path=gone.npz"], "path=gone.npz: is missing: no such file"),
    ],
)
def test_training_data_that_are_missing_are_called_missing(data, said, store, capsys):
    Path("notes.txt").write_text("no image")
    assert main(["train", *TINY, *data]) == 2
    assert said in capsys.readouterr().err


def test_without_scores_there_is_a_sentence_in_place_of_an_empty_table():
    with (console := Console(width=200)).capture() as said:
        print_run({"name": "gan ring seed=1", "scores": {}, "fingerprints": {}}, console)
    assert "gan ring seed=1: no scores: train measures none" in said.get() and "━" not in said.get()
