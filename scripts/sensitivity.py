r"""Measure how each metric answers to damaged, missing and copied images: ``docs/explanation/sensitivity.md``.

Real images take the place of samples. Of the images of a data set, 10,000 are the training images of the imagined
generator, 5,000 are held out as the reference, and 12,500 are five sets of 2,500 samples. With ``v_k`` the value on the
k-th set, and ``v'_1`` the value on the first set after a damage,

.. math:: a = \pm \frac{v'_1 - v_1}{\operatorname{sd}(v_1, \dots, v_5)}

is the metric's answer, with the sign by which a positive answer says "worse".

    python scripts/sensitivity.py mnist images.npz --out docs/explanation/sensitivity/mnist.json

The file holds ``images`` (n, h, w) or (n, h, w, 3), uint8, and ``labels`` (n,).
``scripts/sensitivity_page.py`` makes page and pictures of both files.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from damages import blurred, compressed, noisy, resized, shifted
from ganvas.data.source import Examples, Source, TensorExamples
from ganvas.extractors import Cifar10Extractor, MnistExtractor
from ganvas.extractors.base import Extractor
from ganvas.metrics import fld
from ganvas.metrics.registry import settings_of
from ganvas.scoring.measurement import Asked, Measurement
from ganvas.scoring.protocol import library_versions
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import ImagesSubject
from ganvas.scoring.worst import uniform_noise
from ganvas.storage.store import Store

EXTRACTORS: Final[dict[str, type[Extractor]]] = {"mnist": MnistExtractor, "cifar10": Cifar10Extractor}
METRICS: Final = (
    "fd fd_infinity fd_shrunk kid kid_polynomial kid_gaussian cmmd mind swd is is_infinity vendi ms_ssim "
    "precision recall density coverage rarity p_precision p_recall alpha_precision beta_recall topp_r "
    "mifid fld c_t memorisation"
).split()
TRAIN, HELD_OUT, DRAWN, SETS = 10_000, 5_000, 2_500, 5
SETTINGS: Final = {"fld_centres": 1_000}
"""Settings that are not those of ``ganvas score``: fld's fit takes a minute for 5,000 Gaussians."""
DAMAGES: Final = {
    "blur .5": blurred(0.5),
    "blur 1": blurred(1),
    "noise 5": noisy(5),
    "noise 25": noisy(25),
    "JPEG 75": compressed(75),
    "JPEG 20": compressed(20),
    "bicubic 3/4": resized(0.75, "bicubic", antialias=True),
    "bilinear 3/4": resized(0.75, "bilinear", antialias=False),
    "nearest 3/4": resized(0.75, "nearest", antialias=False),
    "shift 1": shifted(1),
}
"""Damages of all images, by the names of their columns."""


@dataclass(frozen=True)
class Parts:
    """The images by their parts.

    Args:
        train: training images of the imagined generator.
        held_out: the reference.
        drawn: all images that samples are taken from.
        labels: class of each of ``drawn``.
    """

    train: Tensor
    held_out: Tensor
    drawn: Tensor
    labels: Tensor

    def set(self, k: int) -> Tensor:
        """The k-th set of samples, from 0."""
        return self.drawn[k * DRAWN : (k + 1) * DRAWN]


class Held(Source):
    """A data set of two given splits."""

    def __init__(self, name: str, parts: Parts) -> None:
        super().__init__(name, parts.train.shape[1:])
        self._parts = {"train": TensorExamples(parts.train), "test": TensorExamples(parts.held_out)}

    @property
    def splits(self) -> tuple[str, ...]:
        """Both."""
        return tuple(self._parts)

    def _load(self, split: str) -> Examples:
        return self._parts[split]


def read(path: Path) -> Parts:
    """Read images and labels, in an order drawn by seed 0, and divide them."""
    with np.load(path) as file:
        images, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"]).long()
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    n = TRAIN + HELD_OUT + SETS * DRAWN
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:n]
    train, held_out, drawn = order.split([TRAIN, HELD_OUT, SETS * DRAWN])
    return Parts(images[train], images[held_out], images[drawn], labels[drawn])


def columns(parts: Parts) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the samples of each column but the five sets themselves."""
    first, labels = parts.set(0), parts.labels
    for name, damage in DAMAGES.items():
        yield name, damage(first)
    yield "1 of 10 classes gone", parts.drawn[labels != 0][:DRAWN]
    yield "5 of 10 classes gone", parts.drawn[labels >= 5][:DRAWN]
    yield "half, each twice", first[: DRAWN // 2].repeat(2, 1, 1, 1)
    yield "100 images repeated", first[:100].repeat(DRAWN // 100, 1, 1, 1)
    yield "1 in 10 a training image", torch.cat([parts.train[: DRAWN // 10], first[DRAWN // 10 :]])
    yield "all training images", parts.train[:DRAWN]
    for n in (500, 1_000):
        yield f"n {n:,}", first[:n]
    yield "uniform noise", uniform_noise(DRAWN, tuple(first.shape[1:]), 0)


@dataclass(frozen=True)
class Scorer:
    """Measures samples against the held-out images.

    Args:
        reference: the imagined generator's data.
        extractor: the embedded extractor.
        cache: store of the reference's features.
    """

    reference: Reference
    extractor: Extractor
    cache: Store

    def measure(self, images: Tensor) -> dict[str, tuple[float, str]]:
        """Return value and protocol's fingerprint of each score; a metric that needs more images has none."""
        subject = ImagesSubject("samples", TensorExamples(images))
        asked = Asked(settings_of(SETTINGS), n=len(images), seed=1000)
        measurement = Measurement(subject, self.reference, self.extractor, asked, self.cache)
        found: dict[str, tuple[float, str]] = {}
        for metric in METRICS:
            try:
                one = measurement.of([metric])
            except ValueError as error:
                print(f"  {metric}: {error}", flush=True)
                continue
            prints = one.fingerprints()
            found |= {key: (score.value, prints[key]) for key, score in one.scores.items()}
        return found


@contextmanager
def one_fit_of_the_reference() -> Iterator[None]:
    """Let fld fit its mixture around real images once for each number of Gaussians, not for each column."""
    fit, known = fld.reference, {}

    def reference(train: Tensor, held_out: Tensor, *, centres: int, seed: int) -> fld.Reference:
        if centres not in known:
            known[centres] = fit(train, held_out, centres=centres, seed=seed)
        return known[centres]

    with patch.object(fld, "reference", reference):
        yield


def answers(parts: Parts, scorer: Scorer) -> Iterator[tuple[str, dict[str, Any], float]]:
    """Yield each column's name, its scores by key and its seconds; the sets come first."""
    sets = ((f"set {k + 1}", parts.set(k)) for k in range(SETS))
    for source in (sets, columns(parts)):
        for name, images in source:
            start = time.perf_counter()
            yield name, scorer.measure(images), time.perf_counter() - start


def main() -> None:
    """Measure all columns and write them after each, so that a stopped script loses one column."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extractor", choices=EXTRACTORS)
    parser.add_argument("images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts, extractor = read(options.images), EXTRACTORS[options.extractor]()
    reference = Reference(options.extractor, "test", source=Held(options.extractor, parts))
    scorer = Scorer(reference, extractor, Store(options.out.parent / "cache"))
    measured: dict[str, dict[str, float]] = {}
    protocols: dict[str, str] = {}
    with one_fit_of_the_reference():
        for name, found, seconds in answers(parts, scorer):
            measured[name] = {key: value for key, (value, _) in found.items() if math.isfinite(value)}
            protocols = {key: mark for key, (_, mark) in found.items()} | protocols
            result = {
                "extractor": options.extractor,
                "images": {"train": TRAIN, "held_out": HELD_OUT, "samples": DRAWN, "sets": SETS},
                "settings": SETTINGS,
                "versions": library_versions(),
                "protocols": protocols,
                "scores": measured,
            }
            options.out.write_text(json.dumps(result, indent=1) + "\n")
            print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
