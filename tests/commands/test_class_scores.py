"""`ganvas score` of images with classes, from the command line to result.json."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ganvas.cli import main
from ganvas.data.sources.mnist5k import Mnist5k

SMALL = ["settings.is_splits=2", "settings.kid_subsets=2", "paths.cache=cache", "settings.cas_images=128"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Features of the reference, for all tests of this file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def score(tmp_path, monkeypatch, cache, capsys):
    """A function from arguments of ``ganvas score`` to its exit code, its result and what it says."""
    monkeypatch.chdir(tmp_path)
    examples = Mnist5k("mnist5k", [1, 28, 28], 500, 1000).load("val")
    images, labels = examples.data[:, 0].numpy(), examples.labels.numpy()
    np.savez("labelled.npz", images=images, labels=labels)
    np.savez("plain.npz", images=images)
    np.savez("bad.npz", images=images, labels=labels / 2)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        if i % 4 == 0 and label in (3, 7):
            (tmp_path / "folder" / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(f"folder/{label}/{i}.png")

    def run(source, *overrides):
        small = [x.replace("=cache", f"={cache}") for x in SMALL]
        code = main(["score", source, *small, "paths.output=out", *overrides])
        said = capsys.readouterr()
        return code, json.loads(open("out/result.json").read()) if code == 0 else None, said.out + said.err

    return run


def test_a_file_with_labels_has_the_scores_of_classes_by_default(score):
    code, found, said = score("labelled.npz", "reference=mnist5k")
    assert code == 0 and "note intra_fd: a class has only 50 images, below 128" in said
    accuracy = found["scores"]["score/mnist/label_accuracy"]
    assert accuracy["value"] > 0.95 and 0 < accuracy["interval"][0] < accuracy["interval"][1] <= 1
    distances = {key: s["value"] for key, s in found["scores"].items() if "intra_fd" in key}
    floor, ceiling = (found["calibration"][side] for side in ("floor", "ceiling"))
    assert len(distances) == 11 and all(value < 5 and ceiling[key] > 50 for key, value in distances.items())
    assert floor["score/mnist/label_accuracy"] > 0.95 and ceiling["score/mnist/label_accuracy"] == pytest.approx(0.1)
    assert 0 < floor["score/mnist/intra_fd"] < 5 and "score/cas/accuracy" not in found["scores"]
    code, plain, _ = score("plain.npz", "reference=mnist5k")
    assert code == 0 and {k.rpartition("/")[2] for k in plain["scores"]} == {"fd", "is", "kid"}
    assert {key: found["fingerprints"][key] for key in plain["scores"]} == plain["fingerprints"]
    code, bad, _ = score("bad.npz", "reference=mnist5k")
    assert code == 0 and bad["scores"] == plain["scores"]


def test_a_folder_with_sub_folders_and_a_training_of_a_classifier(score):
    code, found, _ = score("folder", "reference=mnist5k", "metrics=[label_accuracy,intra_fd,cas]")
    assert code == 0 and found["protocols"]["score/mnist/intra_fd"]["conditions"]["classes"] == [3, 7]
    assert {k.rpartition("/")[2] for k in found["scores"]} == {
        *("label_accuracy", "intra_fd", "intra_fd_3", "intra_fd_7", "accuracy")
    }
    assert found["scores"]["score/mnist/label_accuracy"]["value"] > 0.9
    assert found["calibration"]["ceiling"]["score/cas/accuracy"] == 0.5
    assert 0 < found["calibration"]["floor"]["score/cas/accuracy"] <= 1
    assert found["uncertainty"]["score/cas/accuracy"] == "200 test images, training held, Wilson"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("plain.npz reference=mnist5k metrics=[label_accuracy]", "label_accuracy needs the class of each sample"),
        ("plain.npz reference=mnist5k metrics=[cas]", "cas needs the class of each sample, and plain.npz has none"),
        ("bad.npz reference=mnist5k metrics=[intra_fd]", "path=bad.npz: labels of type float64"),
        ("labelled.npz reference=plain.npz extractor=mnist metrics=[cas]", "cas needs classes of the reference"),
        ("labelled.npz reference=folder metrics=[cas]", "reference=folder needs data.path=PATH"),
        (
            "labelled.npz reference=folder/ metrics=[cas] extractor=none",
            "class 2 of labelled.npz is none of the 2 classes",
        ),
        ("labelled.npz reference=mnist5k metrics=[label_accuracy] extractor=random", "extractor=random has no classes"),
        ("labelled.npz reference=mnist5k metrics=[intra_fd] extractor=none", "need an extractor"),
    ],
)
def test_what_is_missing_is_named(score, line, words):
    code, _, said = score(*line.split())
    assert code == 2 and words in said and "Traceback" not in said
