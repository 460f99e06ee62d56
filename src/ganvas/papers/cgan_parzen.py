r"""Mirza and Osindero 2014, Table 1: Parzen-window log-likelihood of MNIST digits under a conditional GAN's samples.

The measure is that of :mod:`ganvas.papers.gan_table1`. It does not see whether a sample is of the class that was asked
for, so the label accuracy stands beside it:

.. math:: \frac1n \#\{i : \arg\max_k \ell_k(G(z_i, y_i)) = y_i\},

with the logits :math:`\ell` of ganvas's MNIST classifier.

Reference: https://arxiv.org/abs/1411.1784, section 4.1 and Table 1
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Int64, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.parzen import unit_pixels
from ganvas.papers.gan_table1 import Digits
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, legs, run_preset
from ganvas.types import to_uint8

PRESET = "cgan_parzen"
EPOCH, CLASSES, SAMPLES, BATCH = 50_000, 10, 10_000, 250
EPOCHS = {"cpu": (2, 5, 10, 20, 30, 40), "full": (10, 25, 50, 100, 150, 200, 250, 300, 400, 500)}
PUBLIC = {"paper": 132.0, "a public run": 283.0}


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    digits = Digits(desk)
    real = digits.parzen(digits.real)
    row = {f"real_digits_{scale}": Measured([real.log_likelihood.mean], real.log_likelihood.standard_error)}
    if scale == "smoke":
        run_preset(desk, PRESET, "cgan", desk.seed, ["budget.images=10_000"])
        return row | _classifier(digits)
    course = {}
    for seen, trained in legs(desk, PRESET, "cgan", desk.seed, [EPOCH * e for e in EPOCHS[scale]]):
        images, asked = samples(trained)
        course[seen // EPOCH] = found = digits.parzen(unit_pixels(images))
        accuracy = label_accuracy(images, asked)
        desk.report[f"parzen/epoch_{seen // EPOCH}"] = found.log_likelihood.mean
        desk.report[f"label_accuracy/epoch_{seen // EPOCH}"] = accuracy
    desk.samples("samples", trained.subject.model.sample(100, seed=0, y=torch.arange(CLASSES).repeat_interleave(10)))
    desk.figure("parzen", _curve({e: p.log_likelihood.mean for e, p in course.items()}, real.log_likelihood.mean))
    error = math.sqrt(accuracy * (1 - accuracy) / SAMPLES)
    return row | {
        f"cgan_{scale}": Measured([found.log_likelihood.mean], found.log_likelihood.standard_error),
        f"label_accuracy_{scale}": Measured([accuracy], error),
    }


def samples(trained: Trained) -> tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]:
    """Draw 10,000 samples, and return them with the classes that they were asked for, as many of each."""
    asked = torch.arange(SAMPLES) % CLASSES
    return to_uint8(trained.subject.model.sample(SAMPLES, seed=0, y=asked).cpu()), asked


def label_accuracy(images: UInt8[Tensor, "n c h w"], asked: Int64[Tensor, " n"]) -> float:
    """Share of the images that the MNIST classifier puts into the class that they were asked for.

    Args:
        images: grey images of 28x28.
        asked: class of each.
    """
    logits = extract(MnistExtractor(), images, BATCH).logits
    assert logits is not None
    return float((logits.argmax(1) == asked).double().mean())


def _classifier(digits: Digits) -> dict[str, Measured]:
    """Label accuracy of real test digits, with their own classes and with the classes of others."""
    images, labels = (255 * digits.test).round().to(torch.uint8).view(-1, 1, 28, 28), digits.test_labels
    others = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    return {
        "label_accuracy_real": Measured([label_accuracy(images, labels)]),
        "label_accuracy_chance": Measured([label_accuracy(images, others)]),
    }


def _curve(course: dict[int, float], real: float) -> Figure:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([*course], [*course.values()], marker="o", label="conditional GAN")
    for style, (name, value) in zip(("--", "-."), PUBLIC.items(), strict=True):
        axes.axhline(value, color="k", ls=style, label=f"{name}: {value:g}")
    axes.axhline(real, color="tab:green", ls=":", label="10,000 real training digits")
    axes.set(xlabel="epochs", ylabel="Parzen log-likelihood, nats", ylim=(-50, 300))
    axes.legend()
    return figure
