"""What decides a fingerprint, and what does not."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from ganvas.metrics.protocol import FINAL, STREAMED, Protocol, library_versions
from ganvas.metrics.settings import MetricSettings

SETTINGS = MetricSettings(is_splits=10, kid_subsets=100, kid_subset_size=1000, seed=2020)
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
    assert PROTOCOL.fingerprint() == "a0481921a78e"


def test_the_fingerprint_is_the_same_in_another_process():
    code = (
        "import json, sys; from ganvas.metrics.protocol import Protocol; "
        "from ganvas.metrics.settings import MetricSettings; d = json.loads(sys.stdin.read()); "
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
