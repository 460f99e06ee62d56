"""Show how ``extractor=cifar10`` orders damaged images: the table of ``docs/explanation/embedded_extractors.md``.

The reference is 10,000 training images of CIFAR-10, 1,000 of each class. In the place of generated images stand as many
other training images: as they are (the floor), damaged, without some of the classes, or repeated. Uniform noise is the
ceiling. Below the table the script prints the conditions of the distances, the floor at smaller n, the distance between
images that the classifier was trained on and images that it never saw, and the speed in float32 and bfloat16.

    python scripts/extractor_orders.py --train train.npz [--n 10000]

``train.npz`` holds ``images`` (n, 32, 32, 3) uint8 and ``labels`` (n,) in the official order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from damages import blurred, compressed, noisy
from ganvas.data.source import TensorExamples
from ganvas.extractors.cifar10 import Cifar10Extractor
from ganvas.extractors.features import Features, extract
from ganvas.metrics.frechet import frechet_distance
from ganvas.metrics.registry import key, metrics, scores, settings_of
from ganvas.scoring.protocol import feature_protocol
from ganvas.scoring.worst import uniform_noise
from train_colour_extractor import hold_out, read

METRICS: Final = {"fd": ".3g", "kid": ".2g", "is": ".3g", "precision": ".2f", "recall": ".2f"}
"""Columns of the table, each with its format."""
FLOOR: Final = "other real images (floor)"
CEILING: Final = "uniform noise (ceiling)"
CLASSES: Final = 10
SIZES: Final = (500, 1000, 2000, 5000)
"""Numbers of images at which the floor is measured too."""
BATCH: Final = 250


DAMAGES: Final = {
    "mirrored left to right": lambda images: images.flip(3),
    "blur, sd 1 pixel": blurred(1),
    "blur, sd 2 pixels": blurred(2),
    "noise, sd 10 of 255": noisy(10),
    "noise, sd 25 of 255": noisy(25),
    "noise, sd 100 of 255": noisy(100),
    "JPEG, quality 30": compressed(30),
    "JPEG, quality 10": compressed(10),
}
MISSING: Final = (1, 2, 5)


def first_of_each(labels: Tensor, n: int, *, classes: range = range(CLASSES), skip: int = 0) -> Tensor:
    """Positions of n images in equal parts from the given classes, after the first ``skip`` of each class."""
    share = n // len(classes)
    parts = [(labels == k).nonzero().flatten()[skip:][: share + (i < n % len(classes))] for i, k in enumerate(classes)]
    return torch.cat(parts).sort().values


def rows(extractor: Cifar10Extractor, images: Tensor, labels: Tensor, n: int) -> dict[str, Features]:
    """Features of everything that takes the place of generated images, n of each."""
    skip = n // CLASSES
    others = images[first_of_each(labels, n, skip=skip)]
    floor = extract(extractor, others, BATCH)
    found = {FLOOR: floor}
    for name, damage in DAMAGES.items():
        found[name] = extract(extractor, damage(others), BATCH)
    for missing in MISSING:
        kept = first_of_each(labels, n, classes=range(missing, CLASSES), skip=skip)
        found[f"{missing} of 10 classes missing"] = extract(extractor, images[kept], BATCH)
    draws = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    found["half of the images, each twice"] = floor.take(draws[: n // 2].repeat(2))
    found[f"100 images, each {n // 100} times"] = floor.take(draws[:100].repeat(n // 100))
    return found | {CEILING: extract(extractor, uniform_noise(n, Cifar10Extractor.shape, seed=0), BATCH)}


def table(real: Features, found: dict[str, Features]) -> Iterator[str]:
    """Make the lines of the table, ordered by ``fd``."""
    yield "| in the place of samples | " + " | ".join(f"`{metric}`" for metric in METRICS) + " |"
    yield "|---" * (1 + len(METRICS)) + "|"
    measured = {name: scores(real, fake, list(METRICS), settings_of({})) for name, fake in found.items()}
    for name, of in sorted(measured.items(), key=lambda item: item[1][key("cifar10", "fd")].value):
        values = [f"{of[key('cifar10', metric)].value:{shown}}" for metric, shown in METRICS.items()]
        yield f"| {name} | " + " | ".join(values) + " |"


def conditions(extractor: Cifar10Extractor, reference: Tensor, n: int) -> Iterator[str]:
    """Say how the table was measured."""
    protocol = feature_protocol(
        extractor,
        metrics()["fd"],
        settings_of({}),
        reference="cifar10",
        reference_fingerprint=TensorExamples(reference).fingerprint(),
        split="train",
        n_real=len(reference),
        n_fake=n,
        weights="images",
        sample_seed=None,
    )
    yield f"fd's protocol {protocol.fingerprint()}:"
    yield from (f"  {name}: {value}" for name, value in protocol.conditions.items())


def floors(real: Features, floor: Features) -> Iterator[str]:
    """Measure real images against real ones at smaller n."""
    for n in sorted({*SIZES, floor.n}):
        draws = torch.randperm(floor.n, generator=torch.Generator().manual_seed(n))[:n]
        yield f"floor, {n:,} images against {real.n:,}: fd {frechet_distance(real.values, floor.values[draws]):.3f}"


def gap(extractor: Cifar10Extractor, images: Tensor, labels: Tensor) -> Iterator[str]:
    """Measure how far unseen images are from those that the classifier was trained on."""
    seen, unseen = hold_out(images, labels)
    n = len(unseen[0])
    parts = [seen[0][first_of_each(seen[1], n, skip=skip)] for skip in (0, n // CLASSES)]
    one, other, held = (extract(extractor, part, BATCH).values for part in (*parts, unseen[0]))
    yield f"{n:,} seen images against {n:,} seen: fd {frechet_distance(one, other):.3f}"
    yield f"{n:,} unseen images against {n:,} seen: fd {frechet_distance(one, held):.3f}"


def precisions(extractor: Cifar10Extractor, pair: tuple[Tensor, Tensor]) -> Iterator[str]:
    """Compare speed and distances of convolutions in float32 and bfloat16, on one thread."""
    found = []
    for half in (False, True):
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            real, fake = (extract(extractor, images, BATCH).values for images in pair)
        seconds = time.process_time() - started
        found.append(frechet_distance(real, fake))
        name, n = "bfloat16" if half else "float32", sum(map(len, pair))
        yield f"{name}: {n / seconds:.0f} images a second of CPU time, fd {found[-1]:.4f}"
    yield f"bfloat16 against float32: fd differs by {abs(found[1] / found[0] - 1):.1e}"


def main() -> None:
    """Print the table and the lines below it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="npz of the 50,000 training images")
    parser.add_argument("--n", type=int, default=10_000, help="images on each side, a multiple of 100")
    options = parser.parse_args()
    torch.set_num_threads(1)
    extractor, (images, labels) = Cifar10Extractor(), read(options.train)
    reference = images[first_of_each(labels, options.n)]
    real, found = extract(extractor, reference, BATCH), rows(extractor, images, labels, options.n)
    others = images[first_of_each(labels, options.n, skip=options.n // CLASSES)]
    for lines in (
        table(real, found),
        conditions(extractor, reference, options.n),
        floors(real, found[FLOOR]),
        gap(extractor, images, labels),
        precisions(extractor, (reference, others)),
    ):
        print(*lines, sep="\n", end="\n\n", flush=True)


if __name__ == "__main__":
    main()
