"""Scores of many images: features in files, several processes, samples drawn in parts; in memory that is bounded."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ganvas.cli import main
from ganvas.data.source import TensorExamples
from ganvas.extractors import CustomExtractor
from ganvas.models import sampling
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference, own_reference
from ganvas.scoring.subjects import ImagesSubject
from ganvas.storage.store import Store
from ganvas.types import to_uint8

from .test_model_metrics import SETTINGS, Bands, subject

SMALL = ["reference=mnist5k", "settings.is_splits=2", "settings.kid_subsets=3", "settings.kid_subset_size=50"]
KEYS = ["fd", "is", "kid", "precision", "coverage"]


def noisy(digits, n, name="fakes.npz"):
    draw = np.random.default_rng(0)
    images = digits[0][torch.arange(n) % len(digits[0])].numpy()[:, 0]
    noise = draw.normal(0, 40, images.shape)
    np.savez(name, images=(images + noise).clip(0, 255).astype(np.uint8))
    return name


def score(source, *overrides, output="out"):
    line = ["score", source, *SMALL, "paths.cache=cache", f"paths.output={output}", *overrides]
    assert main(line) == 0
    return json.loads(open(f"{output}/result.json").read())


@pytest.mark.slow
def test_features_in_files_move_a_score_in_the_fourth_digit_and_the_protocol_says_so(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, names = noisy(digits, 300), "metrics=[fd,is,kid,prdc]"
    plain, half, two = (score(source, names, *given) for given in ([], ["on_disk=250"], ["on_disk=250", "processes=2"]))
    again = score(source, names, "on_disk=250")
    for key in (f"score/mnist/{name}" for name in KEYS):
        exact, found = (result["scores"][key]["value"] for result in (plain, half))
        assert found == pytest.approx(exact, rel=1e-3) and two["scores"][key] == half["scores"][key]
        assert again["scores"][key] == half["scores"][key]
        assert "features" not in plain["protocols"][key]["conditions"]
        assert half["protocols"][key]["conditions"]["features"] == {"real": "float16", "fake": "float16"}
        assert half["fingerprints"][key] == two["fingerprints"][key] != plain["fingerprints"][key]
        assert half["calibration"]["floor"][key] == pytest.approx(plain["calibration"]["floor"][key], abs=0.1, rel=0.5)
    assert any("the floor uses 250 training images, the score 300" in note for note in half["notes"])
    assert not any("the floor uses" in note for note in plain["notes"])
    (kept,) = (path for path in (tmp_path / "cache").iterdir() if path.suffix == ".features")
    assert {path.name for path in kept.iterdir()} == {"values.npy", "logits.npy", "sha256.json"}


def test_features_of_a_large_set_are_extracted_once_for_all_metrics(digits, mnist_extractor, tmp_path, monkeypatch):
    images = digits[0][:120]
    calls, extract = [], mnist_extractor.extract
    monkeypatch.setattr(mnist_extractor, "extract", lambda x: calls.append(len(x)) or extract(x))
    real = Reference("all", "all", images=TensorExamples(digits[0][120:200]))
    asked = Asked(SETTINGS, 0, 0, 50, on_disk=100)
    scored = ImagesSubject("images", TensorExamples(images))
    Measurement(scored, real, mnist_extractor, asked, Store(tmp_path)).of(["fd", "vendi", "mind"])
    assert sum(calls) == 200


def test_samples_drawn_in_parts_are_those_drawn_at_once(monkeypatch):
    scored = subject()
    whole = scored.sample(1300, 3)
    for latents in (100_000, 500):  # the second draws latents anew where a part begins
        monkeypatch.setattr(sampling, "LATENTS", latents)
        assert torch.equal(torch.cat(list(scored.model.sampled(1300, 3))).cpu(), scored.sample(1300, 3))
        for start, stop in [(0, 500), (500, 1300), (1000, 1200), (500, 600)]:
            found = torch.cat(list(scored.model.sampled(1300, 3, start, stop))).cpu()
            assert torch.equal(found, scored.sample(1300, 3)[start:stop]), (latents, start)
    monkeypatch.setattr(sampling, "LATENTS", 100_000)
    batches = list(scored.batches(1300, 3, 128))
    assert [len(x) for x in batches] == [128] * 10 + [20] and torch.equal(torch.cat(batches), to_uint8(whole))
    index = torch.tensor([7, 1299, 0, 7, 600])
    assert torch.equal(scored.some(index, 1300, 3, 128), to_uint8(whole)[index])


@pytest.mark.slow
def test_two_processes_draw_the_samples_of_one():
    scored, kept = subject(source=Bands()), []
    extractor = CustomExtractor("mine", "ganvas.extractors.RandomFeatures", 8, 3, [0.5] * 3, [0.5] * 3)
    for processes in (1, 2):
        asked = Asked(SETTINGS, 700, 0, 250, processes=processes)
        kept.append(Gathered(scored, own_reference(scored), extractor, asked, None).fake())
    assert torch.equal(kept[0].values, kept[1].values) and kept[0].n == 700


MEASURED = """
import json, re, sys
from ganvas.cli import main
from ganvas.metrics import blocks
blocks.BYTES = 2**20  # blocks of the shipped size hold all of these few images
code = main(json.loads(sys.argv[1]))
# Not ru_maxrss, which begins at what the process that started this one had.
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
print(json.dumps({"code": code, "peak": 1024 * peak}))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(digits, tmp_path):
    """40,000 more images take less memory than these images alone, of 784 bytes, and their features in float32."""
    peaks = {}
    for n in (2_000, 42_000):
        name = noisy(digits, n, str(tmp_path / f"{n}.npy.npz"))
        line = ["score", name, *SMALL, "metrics=[fd,is,kid]", "on_disk=1000", "calibration=false"]
        line += [f"paths.cache={tmp_path}/cache", f"paths.output={tmp_path}/out"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, json.dumps(line)], env=environment, capture_output=True, text=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["code"] == 0, done.stderr
        peaks[n] = found["peak"]
    assert peaks[42_000] - peaks[2_000] < 40_000 * (784 + 2 * 4 * 138)
