"""What decides a fingerprint, and what does not."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.base import MOMENTS, Score, Setting, feature_metric
from ganvas.metrics.registry import lower_is_better, metrics, registered, settings_of
from ganvas.scoring.found import Found
from ganvas.scoring.protocol import (
    FINAL,
    STREAMED,
    Protocol,
    feature_protocol,
    library_versions,
    require_comparable,
    warnings_for,
)
from ganvas.scoring.table import print_scores

PROTOCOL = Protocol(
    {
        "metric": "kid",
        "revision": 2,
        "extractor": "mnist",
        "weights_hash": "ab" * 32,
        "preprocessing": "none",
        "reference_fingerprint": "cd" * 32,
        "split": "test",
        "n_real": 1000,
        "n_fake": 1000,
        "weights": "raw",
        "settings": {"kid_subsets": 100, "kid_subset_size": 1000, "seed": 2020},
        "library": "torch-fidelity 0.4",
    },
    {
        "reference": "mnist5k",
        "sample_seed": 0,
        "num_features": None,
        "num_classes": None,
        "versions": {"torch": "2.14.1", FINAL: "0.4.0", STREAMED: "1.9.0"},
    },
)
DECIDES = {
    "metric": "fd",
    "revision": 1,
    "extractor": "inception",
    "weights_hash": "ba" * 32,
    "preprocessing": "resized",
    "reference_fingerprint": "dc" * 32,
    "split": "train",
    "n_real": 10_000,
    "n_fake": 10_000,
    "weights": "ema",
    "settings": {"kid_subsets": 1, "kid_subset_size": 1000, "seed": 2020},
    "library": "torchmetrics 1.9",
}
RECORDED = {
    "reference": "mnist",
    "sample_seed": 1,
    "num_features": 64,
    "num_classes": 10,
    "versions": {"torch": "2.15.0", FINAL: "0.4.7", STREAMED: "2.0.0"},
}


def changed(**fields):
    conditions = {name: fields.get(name, value) for name, value in PROTOCOL.conditions.items()}
    return Protocol(conditions, {name: fields.get(name, value) for name, value in PROTOCOL.recorded.items()})


def of(metric, settings, **fields):
    given = {
        "reference": "mnist5k",
        "reference_fingerprint": "cd" * 32,
        "split": "test",
        "n_real": 1000,
        "n_fake": 1000,
        "weights": "raw",
        "sample_seed": 0,
    }
    return feature_protocol(MnistExtractor(), metrics()[metric], settings, **{**given, **fields})


def metric_table():
    """The script that writes the tables of docs/reference/scores.md, as a module."""
    path = Path(__file__).parents[2] / "scripts" / "metric_table.py"
    spec = importlib.util.spec_from_file_location("metric_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_docs_list_every_metric_and_setting_as_registered(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["metric_table.py", "--check"])
    metric_table().main()


def test_every_condition_is_decided_upon():
    protocol = of("kid", settings_of({}))
    assert set(protocol.conditions) == set(DECIDES) and set(protocol.recorded) == set(RECORDED)


def test_a_score_s_protocol_holds_its_own_settings_and_no_others():
    shipped, other = settings_of({}), settings_of({"kid_subsets": 7})
    assert of("kid", shipped).conditions["settings"] == {"kid_subsets": 100, "kid_subset_size": 1000, "seed": 2020}
    assert of("fd", shipped).conditions["settings"] == {}
    assert of("kid", shipped).fingerprint() != of("kid", other).fingerprint()
    for name in ("fd", "is", "precision", "fd_infinity"):
        assert of(name, shipped).fingerprint() == of(name, other).fingerprint()


def test_a_new_metric_with_a_setting_is_known_everywhere_and_moves_no_other_fingerprint():
    names = [name for name, metric in metrics().items() if metric.from_features]
    before = {name: of(name, settings_of({})).fingerprint() for name in names}
    width = Setting("toy_width", 3, "width of the toy (nobody's: 3)", least=1)
    toy = feature_metric("toy", MOMENTS, False, lambda pair: Score(1.0, None, ""), "a toy", (width,))
    with registered(toy):
        settings = settings_of({"toy_width": 5})
        assert settings_of({}).toy_width == 3 and settings.toy_width == 5
        with pytest.raises(ValueError, match="toy_width: expected at least 1, got 0"):
            settings_of({"toy_width": 0})
        assert lower_is_better("score/mnist/toy") is False
        protocol = of("toy", settings)
        assert protocol.conditions["settings"] == {"toy_width": 5} and protocol.conditions["metric"] == "toy"
        assert {name: of(name, settings).fingerprint() for name in names} == before
        console = Console(record=True, width=120, quiet=False, file=open("/dev/null", "w"))
        key = "score/mnist/toy"
        print_scores("x against y", Found({key: Score(1.0, None, "")}, {key: protocol}), console)
        assert "mnist/toy" in (shown := console.export_text()) and protocol.fingerprint() in shown
        listed = metric_table().tables()
        assert "| `toy` | `<extractor>/toy` | higher | a toy | moments of" in listed
        assert "| `settings.toy_width` | 3 | at least 1 | width of the toy (nobody's: 3) |" in listed
    with pytest.raises(ValueError, match="no metric has 'toy_width'"):
        settings_of({"toy_width": 5})


@pytest.mark.parametrize("name", DECIDES)
def test_deciding_fields_change_the_fingerprint(name):
    assert changed(**{name: DECIDES[name]}).fingerprint() != PROTOCOL.fingerprint()


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_fields_do_not(name):
    assert changed(**{name: RECORDED[name]}).fingerprint() == PROTOCOL.fingerprint()


def test_a_minor_release_of_the_metric_library_decides():
    assert of("fd", settings_of({})).conditions["library"] == "torch-fidelity 0.4"
    assert of("fd", settings_of({}), library=STREAMED).conditions["library"].startswith("torchmetrics 1.")


def test_the_fingerprint_is_a_golden_number():
    # Stored runs carry it: a change here means that old and new scores no longer compare.
    assert PROTOCOL.fingerprint() == "654a9a8efa38"


def test_the_fingerprint_is_the_same_in_another_process():
    code = (
        "import json, sys; from ganvas.scoring.protocol import Protocol; "
        "print(Protocol.read(json.loads(sys.stdin.read())).fingerprint())"
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
    ],
)
def test_bad_fields_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        of("fd", settings_of({}), **{field: value})


def test_one_protocol_compares_with_itself_whatever_is_only_recorded():
    require_comparable([])
    require_comparable([PROTOCOL])
    require_comparable([PROTOCOL, changed(**RECORDED)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_fake": 10_000}, "n_fake 1000 against 10000. Score both"),
        ({"n_real": None}, "n_real 1000 against None"),
        ({"settings": {"kid_subsets": 1, "kid_subset_size": 1000, "seed": 2020}}, "settings.kid_subsets 100 against 1"),
        ({"split": "train", "weights": "ema"}, "split 'test' against 'train'; weights 'raw' against 'ema'"),
        ({"library": "torchmetrics 1.9"}, "library 'torch-fidelity 0.4' against 'torchmetrics 1.9'"),
    ],
)
def test_mixed_protocols_are_refused_by_field(change, message):
    with pytest.raises(ValueError, match=message):
        require_comparable([PROTOCOL, PROTOCOL, changed(**change)])


@pytest.mark.parametrize("name", DECIDES)
def test_what_differs_in_the_fingerprint_is_refused(name):
    with pytest.raises(ValueError, match=f" {name}"):
        require_comparable([PROTOCOL, changed(**{name: DECIDES[name]})])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"n_real": None}, []),
        ({"metric": "fd", "extractor": "inception"}, ["n=1000 is below 2048"]),
        ({"metric": "fd", "extractor": "inception", "n_real": 2048, "n_fake": 2048}, []),
        ({"metric": "fd", "num_features": 1001}, ["n=1000 is below 1001, the number of features of mnist: the cov"]),
        ({"metric": "fd", "num_features": 1000}, []),
        ({"metric": "kid", "num_features": 1001}, []),
        ({"metric": "gone", "num_features": 1001}, []),
        ({"metric": "fid"}, ["n=1000 is below 10000: a FID is"]),
        ({"metric": "fid", "n_real": 10_000, "n_fake": 10_000}, []),
        ({"metric": "fd_infinity", "num_features": 101}, ["n=1000 is below 1010, 10 times the number of features of"]),
        ({"metric": "is", "num_classes": 21}, ["n=1000 is below 1050, 50 times the number of classes of mnist"]),
        ({"metric": "is", "num_classes": 20}, []),
        ({"metric": "is"}, []),
        ({"metric": "is", "num_classes": 20, "n_real": 10}, ["1000 generated images against 10 real"]),
        ({"metric": "is", "num_classes": 20, "n_real": None}, []),
        ({"n_fake": 999}, ["999 generated images against 1000 real"]),
        ({"split": "train"}, ["the reference is the training split"]),
        (
            {"metric": "fd", "extractor": "inception", "n_real": None, "n_fake": 64, "split": "train"},
            ["n=64 is below 2048", "the reference is the training split"],
        ),
    ],
)
def test_warnings_say_what_a_reader_should_know(change, expected):
    found = warnings_for(changed(**change))
    assert len(found) == len(expected)
    assert all(sentence.startswith(start) for sentence, start in zip(found, expected, strict=True))


def test_settings_that_cut_work_into_batches_decide_nothing():
    shipped = settings_of({})
    for name in ("likelihood.chunk", "likelihood.batch_size", "likelihood.n", "memorisation.pairs", "parzen.samples"):
        other = settings_of({name: 7})
        assert all(metric.own(shipped) == metric.own(other) for metric in metrics().values()), name
    for name in ("likelihood.k", "memorisation.quantile", "parzen.sigmas", "seed"):
        other = settings_of({name: [0.5] if name == "parzen.sigmas" else 0.5 if "quantile" in name else 7})
        assert any(metric.own(shipped) != metric.own(other) for metric in metrics().values()), name
