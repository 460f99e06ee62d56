"""Classes of samples and of references: where they come from, how they meet, and which scores follow from them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.source import TensorExamples
from ganvas.extractors.base import Extractor
from ganvas.metrics.labels import Unsuited
from ganvas.metrics.registry import settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.classes import Classed, classes_of_files, common_labels
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import ImagesSubject
from ganvas.testing.class_metrics import CLASSES, BrightestQuarter, Quarters, Samples, classes, images

SETTINGS = settings_of({"is_splits": 2, "kid_subsets": 2, "cas_images": 256})
STANDARD = {f"score/quarters/{name}" for name in ("fd", "is", "kid")}
OF_CLASSES = {f"score/quarters/{name}" for name in ("label_accuracy", "intra_fd", *(f"intra_fd_{c}" for c in range(4)))}


def measure(subject, names=None, *, reference=None, extractor=None, **asked):
    reference = reference or Reference("quarters", "test", source=Quarters(0, True))
    options = Asked(SETTINGS, n=0, seed=0, **{"calibration": True, **asked})
    return Measurement(subject, reference, extractor or BrightestQuarter(), options, None).of(names)


def test_samples_with_classes_get_their_scores_and_those_without_do_not():
    asked = classes(0)
    found = measure(Samples(classes(0), asked))
    assert found.scores.keys() == STANDARD | OF_CLASSES
    plain = measure(Samples(classes(0), None))
    assert plain.scores.keys() == STANDARD
    assert {k: found.fingerprints()[k] for k in STANDARD} == plain.fingerprints()
    unlabelled = Reference("quarters", "test", source=Quarters(0, False))
    assert measure(Samples(classes(0), asked), reference=unlabelled).scores.keys() == STANDARD


def test_label_accuracy_is_the_share_by_hand_with_floor_and_ceiling():
    asked, key = classes(0), "score/quarters/label_accuracy"
    made = asked.clone()
    made[:30] = (made[:30] + 1) % CLASSES
    found = measure(Samples(made, asked), ["label_accuracy"])
    assert found.scores[key].value == pytest.approx(90 / 120) and found.scores[key].interval[1] > 90 / 120
    assert found.floor[key] == 1 and found.ceiling[key] == pytest.approx(1 / CLASSES)
    conditions = found.protocols[key].conditions
    assert (
        conditions["classes"] == [0, 1, 2, 3] and conditions["n_fake"] == 120 and conditions["extractor"] == "quarters"
    )
    bare = measure(Samples(made, asked), ["label_accuracy"], calibration=False)
    assert not bare.floor and not bare.ceiling and bare.fingerprints() == found.fingerprints()


def test_distances_of_classes_have_a_floor_below_and_a_ceiling_above_them():
    asked = classes(0)
    made = asked.clone()
    made[asked == 2] = 1
    found = measure(Samples(made, asked), ["intra_fd"])
    wrong, right = (found.scores[f"score/quarters/intra_fd_{c}"] for c in (2, 0))
    assert wrong.value > 10 * right.value and wrong.sd_over == "30 generated images of class south-west"
    mean = found.scores["score/quarters/intra_fd"]
    assert mean.value == pytest.approx(sum(found.scores[f"score/quarters/intra_fd_{c}"].value for c in range(4)) / 4)
    for key in found.scores:
        assert found.floor[key] < found.ceiling[key]
    assert found.floor["score/quarters/intra_fd_0"] == pytest.approx(right.value, rel=1)
    assert right.value < found.ceiling["score/quarters/intra_fd_0"] / 5 and not found.notes


class Wide(Extractor):
    """More features than images of a class."""

    name, weights_hash, preprocessing = "wide", "1" * 64, "as they are"
    num_features, num_classes = 64, None

    def __init__(self):
        super().__init__()
        self.register_buffer("place", torch.zeros(()))

    def check(self, images):
        """Accept all."""

    def extract(self, images):
        return images.flatten(1).float(), None


def test_few_images_of_a_class_are_warned_of_and_too_few_refused():
    asked = classes(0)
    found = measure(Samples(asked, asked), ["intra_fd"], extractor=Wide())
    assert (
        len(found.notes) == 1
        and "a class has only 30 images, below 64, the number of features of wide" in found.notes[0]
    )
    few = asked.clone()
    few[(asked == 3).nonzero()[:21]] = 2
    with pytest.raises(
        Unsuited, match="at least 10 images of each class on both sides, samples has 9 of class south-east"
    ):
        measure(Samples(asked, few), ["intra_fd"])
    assert "score/quarters/intra_fd" not in measure(Samples(asked, few)).scores


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_classes": None}, "extractor=quarters has no classes"),
        ({"num_classes": 5}, "extractor=quarters has 5, reference=quarters has 4"),
        ({"permuted": True}, "gives only 0% of the real images of reference=quarters their own class"),
    ],
)
def test_label_accuracy_needs_the_classes_of_the_data(change, words):
    extractor = BrightestQuarter()
    for name, value in change.items():
        setattr(extractor, name, value)
    if change.get("permuted"):
        extract = extractor.extract
        extractor.extract = lambda x: (extract(x)[0], extract(x)[1].roll(1, 1))
    subject = Samples(classes(0), classes(0))
    with pytest.raises(Unsuited, match=f"label_accuracy needs an extractor with the classes of the data.*{words}"):
        measure(subject, ["label_accuracy"], extractor=extractor)
    scores = measure(subject, extractor=extractor).scores
    assert "score/quarters/label_accuracy" not in scores and "score/quarters/intra_fd" in scores


def test_cas_is_measured_when_asked_for_with_its_floor():
    found = measure(Samples(classes(0), classes(0)), ["cas"])
    key = "score/cas/accuracy"
    assert found.scores.keys() == {key} and 0 <= found.scores[key].value <= 1
    assert found.ceiling[key] == 0.25 and 0 < found.floor[key] <= 1 and not found.notes
    assert found.protocols[key].conditions["settings"] == {"cas_images": 256, "seed": 2020}
    only = classes(0) == 1
    subject = Samples(classes(0)[only], classes(0)[only])
    found = measure(subject, ["cas"])
    assert found.scores[key].value == 1 and found.ceiling[key] == 1 and found.scores[key].sd_over.startswith("30 test")


# Where classes come from.


def test_an_array_file_numbers_its_classes(tmp_path):
    pixels = np.zeros((3, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.array([2, 0, 2]))
    np.savez(tmp_path / "b.npz", images=pixels)
    np.savez(tmp_path / "c.npz", images=pixels, labels=np.array([0.5, 1, 2]))
    found = classes_of_files(str(tmp_path / "a.npz"), 3)
    assert found.labels.tolist() == [2, 0, 2] and found.names is None and found.total is None
    assert classes_of_files(str(tmp_path / "b.npz"), 3) is None
    with pytest.raises(Unsuited, match="labels of type float64"):
        classes_of_files(str(tmp_path / "c.npz"), 3)


def test_a_folder_names_them_by_its_sub_folders(tmp_path):
    for name in ("dog/1.png", "cat/2.png", "cat/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / name)
    found = classes_of_files(str(tmp_path), 3)
    assert found.labels.tolist() == [0, 0, 1] and found.names == ("cat", "dog")
    Image.new("L", (8, 8)).save(tmp_path / "3.png")
    assert classes_of_files(str(tmp_path), 4) is None


REAL = Classed(torch.tensor([0, 1, 2]), ("ape", "bee", "cat"), 3)


@pytest.mark.parametrize(
    ("fake", "real", "numbers"),
    [
        (Classed(torch.tensor([2, 0])), REAL, [2, 0]),
        (Classed(torch.tensor([2, 0]), total=3), REAL, [2, 0]),
        (Classed(torch.tensor([1, 0]), ("bee", "cat")), REAL, [2, 1]),
        (Classed(torch.tensor([0, 1]), ("0", "2")), REAL, [0, 2]),
        (Classed(torch.tensor([0, 1]), ("10", "2")), Classed(torch.arange(11)), [10, 2]),
        (Classed(torch.tensor([1])), Classed(torch.tensor([0, 1]), ("1", "2"), 2), [1]),
        (Classed(torch.tensor([0])), Classed(torch.tensor([0, 1]), ("1", "0")), [0]),
        (Classed(torch.tensor([0]), ("0",)), Classed(torch.tensor([0, 1]), ("1", "0")), [1]),
    ],
)
def test_classes_meet_by_name_or_number(fake, real, numbers):
    assert common_labels(fake, real, "x", "samples", "real").fake.tolist() == numbers


@pytest.mark.parametrize(
    ("fake", "real", "words"),
    [
        (None, REAL, "x needs the class of each sample, and samples has none"),
        (Classed(torch.tensor([0])), None, "x needs classes of the reference, and reference=real has none"),
        (Classed(torch.tensor([0]), total=4), REAL, "samples has 4 classes and reference=real has 3"),
        (
            Classed(torch.tensor([3])),
            REAL,
            "class 3 of samples is none of the 3 classes of reference=real: ape, bee, cat",
        ),
        (Classed(torch.tensor([0, 1]), ("cat", "dog")), REAL, "class dog of samples is none of the 3 classes"),
    ],
)
def test_classes_that_do_not_meet_are_refused(fake, real, words):
    with pytest.raises(Unsuited, match=words):
        common_labels(fake, real, "x", "samples", "real")


def test_images_of_files_are_scored_by_their_classes(tmp_path):
    labels = classes(0)
    np.savez(tmp_path / "fake.npz", images=images(labels, 7)[:, 0].numpy(), labels=labels.numpy())
    np.savez(tmp_path / "real.npz", images=images(labels, 8)[:, 0].numpy(), labels=labels.numpy())
    sides = [TensorExamples(images(labels, seed)) for seed in (7, 8)]
    subject = ImagesSubject(str(tmp_path / "fake.npz"), sides[0])
    reference = Reference(str(tmp_path / "real.npz"), "all", images=sides[1])
    found = measure(subject, reference=reference)
    assert found.scores.keys() == STANDARD | OF_CLASSES
    assert found.scores["score/quarters/label_accuracy"].value == 1
    assert found.ceiling["score/quarters/intra_fd"] > 100 * found.scores["score/quarters/intra_fd"].value
    assert "score/quarters/intra_fd" not in found.floor  # there are no training images
    json.dumps(found.as_dict())
