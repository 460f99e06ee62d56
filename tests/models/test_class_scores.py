"""A conditional model is scored by the classes that its samples are drawn for."""

import pytest
import torch
from torch import nn

from ganvas.data.datamodule import DataModule
from ganvas.data.transforms import Identity
from ganvas.metrics.labels import Unsuited
from ganvas.metrics.registry import settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference, own_reference
from ganvas.scoring.subjects import ModelSubject
from ganvas.testing.class_metrics import BrightestQuarter, Quarters, images
from ganvas.types import to_float

ACCURACY = "score/quarters/label_accuracy"


class Painter(nn.Module):
    """Generates images of the class it is given, or of another one."""

    shape, latent_dim, classes = (1, 8, 8), 4, 4

    def __init__(self, moved=0):
        super().__init__()
        self.moved = moved

    def forward(self, z, y):
        return to_float(images((y + self.moved) % 4, seed=0))


def measure(model, names=None, reference=None):
    source = Quarters(0, True)
    data = DataModule(source, Identity(), batch_size=1, seed=0, workers=0)
    subject = ModelSubject("toy", model, lambda: data, images_seen=0)
    settings = settings_of({"is_splits": 2, "kid_subsets": 2})
    asked = Asked(settings, n=200, seed=3)
    measurement = Measurement(subject, reference or own_reference(subject), BrightestQuarter(), asked, None)
    return measurement.of_trained() if names is None else measurement.of(names)


def test_scores_of_classes_follow_a_training_of_a_conditional_model(adversarial):
    model = adversarial(generator=Painter())
    model.learn_of(100, torch.tensor([0] * 40 + [1] * 30 + [2] * 20 + [3] * 10))
    found = measure(model)
    assert found.scores[ACCURACY].value == 1 and "score/cas/accuracy" not in found.scores
    counts = [int(found.scores[f"score/quarters/intra_fd_{c}"].sd_over.split()[0]) for c in range(4)]
    assert counts == model.draw_labels(200, 3).bincount().tolist() and counts[0] > counts[3]
    assert measure(adversarial(generator=Painter(1))).scores[ACCURACY].value == 0


def test_a_plain_model_has_none_and_is_refused_by_name(adversarial):
    scores = measure(adversarial()).scores
    assert {key.rpartition("/")[2] for key in scores} == {"fd", "is", "kid"}
    with pytest.raises(Unsuited, match="label_accuracy needs the class of each sample, and toy has none"):
        measure(adversarial(), ["label_accuracy"])


def test_a_reference_of_another_number_of_classes_is_refused(adversarial, monkeypatch):
    monkeypatch.setattr(Quarters, "classes", ("a", "b", "c"))
    other = Reference("other", "test", source=Quarters(0, True))
    with pytest.raises(Unsuited, match="toy has 4 classes and reference=other has 3; leave reference out"):
        measure(adversarial(generator=Painter()), ["cas"], other)
