"""Time of the 2015 Inception's features on the processor, against torch-fidelity's extractor as it is.

The weights are random, so that no download is needed; they do not matter to the time. Both sides extract the same
images in one process and alternate.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch_fidelity import feature_extractor_inceptionv3 as fidelity
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from benchmarks.rows import Found, Options, alone
from ganvas.extractors import InceptionExtractor
from ganvas.extractors.features import extract

IMAGES, BATCH = 64, 32
NAME, LAYERS = "inception-v3-compat", ["2048", "logits_unbiased"]


def measure(precision: str, options: Options) -> Found:
    """Measure the ratios of our extraction to theirs.

    Args:
        precision: ``extractor.precision`` of ours.
        options: rounds and threads.
    """
    torch.set_num_threads(options.threads)
    images = torch.randint(0, 256, (IMAGES, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        _write_random(weights)
        theirs = FeatureExtractorInceptionV3(NAME, LAYERS, feature_extractor_weights_path=str(weights))
        ours = InceptionExtractor(str(weights), precision=precision)
        sides = (lambda: extract(ours, images, BATCH), lambda: [theirs(part) for part in images.split(BATCH)])
        with torch.no_grad():
            pairs = [[_seconds(side) for side in sides] for _ in range(options.rounds + 1)][1:]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Found([a / b for a, b in pairs], "x", f"{IMAGES / mine:.0f} against {IMAGES / other:.0f} images/s")


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _write_random(path: Path) -> None:
    """Write a state dict of torch-fidelity's network as it is before any weights are loaded."""
    with (
        patch.object(fidelity, "load_state_dict_from_url", lambda *_, **__: {}),
        patch.object(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None),
    ):
        torch.save(FeatureExtractorInceptionV3(NAME, LAYERS).state_dict(), path)


PARTS = (
    alone("inception_features", "torch-fidelity's extractor", None, partial(measure, "float32")),
    alone("inception_fast", "torch-fidelity's extractor", 1 / 2.5, partial(measure, "bfloat16")),
)
