"""The smallest sensible number of images: a note beside the score, and no change of value or fingerprint."""

from dataclasses import replace

import pytest

from ganvas.metrics import FEATURES, SAMPLES, Measured, Metric, Score, SensibleN, feature_metric
from ganvas.metrics.registry import registered, settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference
from ganvas.testing.class_metrics import BrightestQuarter, N, Quarters, Samples, classes


def found(metric):
    options = Asked(settings_of({}), n=0, seed=0, calibration=False)
    reference = Reference("quarters", "test", source=Quarters(0, True))
    with registered(metric):
        return Measurement(Samples(classes(0), None), reference, BrightestQuarter(), options, None).of([metric.name])


@pytest.mark.parametrize("kind", ["features", "samples"])
@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (SensibleN(N + 1, "it is a toy"), ("n=120 is below 121: it is a toy",)),
        (SensibleN(N, "it is a toy"), ()),
        (
            SensibleN(31, "it is a toy", per="feature"),
            ("n=120 is below 124, 31 times the number of features of quarters: it is a toy",),
        ),
        (SensibleN(30, "it is a toy", per="class"), ()),
    ],
)
def test_a_score_of_too_few_images_has_a_note_and_the_same_value_and_fingerprint(kind, least, expected):
    if kind == "features":
        metric = feature_metric("toy", FEATURES, True, lambda pair: Score(1.0, None, ""), "a toy", sensible_n=least)
    else:
        metric = Metric(
            "toy",
            SAMPLES,
            {"toy": True},
            (),
            1,
            lambda material: Measured({"toy": Score(1.0, None, "")}),
            "a toy",
            sensible_n=least,
        )
    with_note, plain = found(metric), found(replace(metric, sensible_n=None))
    assert with_note.notes == expected and plain.notes == ()
    assert with_note.scores == plain.scores and with_note.fingerprints() == plain.fingerprints()


def test_a_metric_of_a_model_counts_the_images_of_its_condition():
    metric = Metric(
        "toy",
        SAMPLES,
        {"toy": True},
        (),
        1,
        lambda material: Measured({"toy": Score(1.0, None, "")}, conditions={"n": 7}),
        "a toy",
        sensible_n=SensibleN(8, "it is a toy"),
    )
    assert found(metric).notes == ("n=7 is below 8: it is a toy",)


def test_a_number_counts_for_features_or_classes_only():
    assert str(SensibleN(10_000, "")) == "10,000" and str(SensibleN(50, "", per="class")) == "50 for each class"
    assert SensibleN(50, "", per="class").notes(3, {}, "unknown") == ()
    with pytest.raises(ValueError, match="per: expected feature or class, got 'pixel'"):
        SensibleN(1, "", per="pixel")
