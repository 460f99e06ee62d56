"""What decides a fingerprint, and what does not."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from ganvas.scoring.protocol import (
    FINAL,
    STREAMED,
    Protocol,
    library_versions,
    require_comparable,
    warnings_for,
)
from ganvas.scoring.settings import MetricSettings

SETTINGS = MetricSettings(
    is_splits=10,
    kid_subsets=100,
    kid_subset_size=1000,
    prc_neighbours=3,
    dc_neighbours=5,
    fd_infinity_points=15,
    fd_infinity_share=0.1,
    seed=2020,
)
PROTOCOL = Protocol(
    extractor="mnist",
    weights_hash="ab" * 32,
    preprocessing="none",
    reference="mnist5k",
    reference_fingerprint="cd" * 32,
    split="test",
    n_real=1000,
    n_fake=1000,
    weights="raw",
    sample_seed=0,
    settings=SETTINGS,
    library=FINAL,
    versions={"torch": "2.14.1", FINAL: "0.4.0", STREAMED: "1.9.0"},
)
DECIDES = {
    "extractor": "inception",
    "weights_hash": "ba" * 32,
    "preprocessing": "resized",
    "reference_fingerprint": "dc" * 32,
    "split": "train",
    "n_real": 10_000,
    "n_fake": 10_000,
    "weights": "ema",
    "settings": replace(SETTINGS, is_splits=1),
    "library": STREAMED,
    "revision": 1,
}
RECORDED = {
    "reference": "mnist",
    "sample_seed": 1,
    "versions": {"torch": "2.15.0", FINAL: "0.4.7", STREAMED: "2.0.0"},
}


def test_every_field_is_decided_upon():
    assert {f.name for f in fields(Protocol)} == set(DECIDES) | set(RECORDED)


@pytest.mark.parametrize("name", DECIDES)
def test_deciding_fields_change_the_fingerprint(name):
    assert replace(PROTOCOL, **{name: DECIDES[name]}).fingerprint() != PROTOCOL.fingerprint()


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_fields_do_not(name):
    assert replace(PROTOCOL, **{name: RECORDED[name]}).fingerprint() == PROTOCOL.fingerprint()


def test_a_minor_release_of_the_metric_library_decides():
    newer = replace(PROTOCOL, versions={**PROTOCOL.versions, FINAL: "0.5.0"})
    assert newer.fingerprint() != PROTOCOL.fingerprint()


def test_the_fingerprint_is_a_golden_number():
    # Stored runs carry it: a change here means that old and new scores no longer compare.
    assert PROTOCOL.fingerprint() == "9e449f2bcccc"


def test_the_fingerprint_is_the_same_in_another_process():
    code = (
        "import json, sys; from ganvas.scoring.protocol import Protocol; "
        "from ganvas.scoring.settings import MetricSettings; d = json.loads(sys.stdin.read()); "
        "print(Protocol(**{**d, 'settings': MetricSettings(**d['settings'])}).fingerprint())"
    )
    text = json.dumps(PROTOCOL.as_dict())
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PROTOCOL.fingerprint()


def test_versions_are_those_installed():
    assert {"torch", FINAL, STREAMED} <= set(library_versions())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("weights", "EMA", "weights: expected 'raw' or 'ema', got 'EMA'"),
        ("n_fake", 0, "n_fake: expected at least 1, got 0"),
        ("library", "clean-fid", "versions: expected the version of 'clean-fid'"),
    ],
)
def test_bad_fields_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(PROTOCOL, **{field: value})


def test_one_protocol_compares_with_itself_whatever_is_only_recorded():
    require_comparable([])
    require_comparable([PROTOCOL])
    require_comparable([PROTOCOL, replace(PROTOCOL, **RECORDED)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_fake": 10_000}, "n_fake 1000 against 10000. Score both"),
        ({"n_real": None}, "n_real 1000 against None"),
        ({"settings": replace(SETTINGS, kid_subset_size=50)}, "compare: settings.kid_subset_size 1000 against 50"),
        ({"split": "train", "weights": "ema"}, "split 'test' against 'train'; weights 'raw' against 'ema'"),
        ({"library": STREAMED}, "library 'torch-fidelity 0.4' against 'torchmetrics 1.9'"),
    ],
)
def test_mixed_protocols_are_refused_by_field(change, message):
    with pytest.raises(ValueError, match=message):
        require_comparable([PROTOCOL, PROTOCOL, replace(PROTOCOL, **change)])


@pytest.mark.parametrize("name", DECIDES)
def test_what_differs_in_the_fingerprint_is_refused(name):
    with pytest.raises(ValueError, match=f" {name}"):
        require_comparable([PROTOCOL, replace(PROTOCOL, **{name: DECIDES[name]})])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"n_real": None}, []),
        ({"extractor": "inception"}, ["n=1000 is below 2048"]),
        ({"extractor": "inception", "n_real": 2048, "n_fake": 2048}, []),
        ({"n_fake": 999}, ["999 generated images against 1000 real"]),
        ({"split": "train"}, ["the reference is the training split"]),
        (
            {"extractor": "inception", "n_real": None, "n_fake": 64, "split": "train"},
            ["n=64 is below 2048", "the reference is the training split"],
        ),
    ],
)
def test_warnings_say_what_a_reader_should_know(change, expected):
    found = warnings_for(replace(PROTOCOL, **change))
    assert len(found) == len(expected)
    assert all(sentence.startswith(start) for sentence, start in zip(found, expected, strict=True))
