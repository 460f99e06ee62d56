"""Compare the time of ``ganvas score`` with that of torch-fidelity, for 10,000 images against 10,000 digits.

The reference is MNIST's test split (downloaded, or from ``GANVAS_DATA``); the generated side is as many training digits
with Gaussian pixel noise, in an ``.npz``. Both sides run in one process with one extractor and one number of threads:

- torch-fidelity: extraction of both sides from tensors in memory, then its FID, IS, KID, precision and recall, with its
  default memory plan. It computes neither density and coverage nor errors.
- ganvas: ``ganvas score`` with ``metrics=[fd,is,kid,prdc]`` after Hydra has composed its config: reading the files,
  hashing, extraction, metrics with their errors, table and ``result.json``. It runs three times: ``calibration=false``
  with an empty cache (the same two sides as torch-fidelity's), the default with an empty cache (floor and ceiling need
  two more sides), and the default again with the filled cache.

Rounds alternate, medians are compared, and the values must agree.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_module
from rich.console import Console
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from benchmarks.rows import Found, Options, Part, Row, Skipped
from ganvas.commands.score import score
from ganvas.config import build
from ganvas.data.source import DataError
from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.scoring.settings import settings_from

N = 10_000
NOISE = 40.0
METRICS = "metrics=[fd,is,kid,prdc]"
THEIRS = {
    "fd": "frechet_inception_distance",
    "is": "inception_score_mean",
    "kid": "kernel_inception_distance_mean",
    "precision": "precision",
    "recall": "recall",
}


def timed(work: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    """Measure the seconds of ``work``, and return them with the result."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def torch_fidelity(real: Tensor, fake: Tensor, settings: Any, batch_size: int) -> dict[str, float]:
    """Compute torch-fidelity's metrics by its names, on features of our extractor."""
    extractor = MnistExtractor()
    a, b = (extract(extractor, images, batch_size) for images in (real, fake))
    subsets = {"kid_subsets": settings.kid_subsets, "kid_subset_size": settings.kid_subset_size}
    statistics_ = [fid_features_to_statistics(side.values.double()) for side in (a, b)]
    assert b.logits is not None
    return {
        **fid_statistics_to_metric(*statistics_, verbose=False),
        **isc_features_to_metric(b.logits, splits=settings.is_splits, rng_seed=settings.seed),
        **kid_features_to_metric(b.values, a.values, **subsets, rng_seed=settings.seed, verbose=False),
        **prc_features_to_metric(b.values, a.values, prc_neighborhood=settings.prc_neighbours, verbose=False),
    }


def ganvas(fakes: Path, folder: Path, cache: Path, *overrides: str) -> dict[str, float]:
    """Run ``ganvas score FAKES reference=mnist`` and return its scores by their short names."""
    paths = [f"source='{fakes}'", f"paths.cache='{cache}'", f"paths.output='{folder}'"]
    cfg = compose("score", ["reference=mnist", METRICS, *paths, *overrides])
    found = score(cfg, folder, Console(quiet=True))["scores"]
    return {key.rpartition("/")[2]: value["value"] for key, value in found.items()}


def one_round(real: Tensor, fakes: Path, folder: Path, cfg: Any, number: int) -> dict[str, float]:
    """Run every way once, starting with an empty cache, and compare their values."""
    fake, settings, cache = (
        torch.from_numpy(np.load(fakes)["images"])[:, None],
        settings_from(cfg),
        folder / f"{number}",
    )
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "torch-fidelity": lambda: torch_fidelity(real, fake, settings, cfg.batch_size),
        "calibration=false": lambda: ganvas(fakes, folder, cache / "bare", "calibration=false"),
        "first call": lambda: ganvas(fakes, folder, cache / "rows"),
        "second call": lambda: ganvas(fakes, folder, cache / "rows"),
    }
    took, found = {}, {}
    for way, work in ways.items():
        took[way], found[way] = timed(work)
    for way in list(ways)[1:]:
        for name, theirs in THEIRS.items():
            ours, expected = found[way][name], found["torch-fidelity"][theirs]
            if abs(ours - expected) > 1e-5 * abs(expected):
                raise SystemExit(f"{way}: {name} is {ours}, torch-fidelity's {expected}")
    return took


def measure(options: Options) -> dict[str, Found]:
    """Make the images, run the rounds, and compare the times."""
    torch.set_num_threads(options.threads)
    with initialize_config_module("ganvas.conf", version_base="1.3"), tempfile.TemporaryDirectory() as place:
        folder, cfg = Path(place), compose("score", [])
        source = build(compose("train", ["data=mnist"]).data)
        try:
            real, train = (source.load(split).batch(torch.arange(N)) for split in ("test", "train"))
        except DataError as error:
            raise Skipped(f"MNIST is not at hand: {error}") from error
        noise = NOISE * torch.randn(train.shape, generator=torch.Generator().manual_seed(0))
        np.savez(folder / "fakes.npz", images=(train + noise).clamp(0, 255).to(torch.uint8)[:, 0].numpy())
        rounds = [one_round(real, folder / "fakes.npz", folder, cfg, i) for i in range(options.rounds)]
    return {name: _ratios(rounds, way, base) for name, (way, base) in WAYS.items()}


def _ratios(rounds: list[dict[str, float]], way: str, base: str) -> Found:
    ours, theirs = (statistics.median(took[side] for took in rounds) for side in (way, base))
    return Found([took[way] / took[base] for took in rounds], "x", f"{ours:.1f} against {theirs:.1f} s")


WAYS = {
    "score_without_calibration": ("calibration=false", "torch-fidelity"),
    "score_with_calibration": ("first call", "torch-fidelity"),
    "score_again": ("second call", "torch-fidelity"),
}
PARTS = (
    Part(
        "score",
        tuple(
            Row(name, "torch-fidelity, same extractor", target)
            for name, target in zip(WAYS, (0.5, 0.8, 0.3), strict=True)
        ),
        measure,
    ),
)
