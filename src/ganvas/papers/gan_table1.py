r"""Goodfellow et al. 2014, Table 1: Parzen-window log-likelihood of MNIST test digits under a GAN's samples.

The number is :math:`\frac1n \sum_x \log \frac1m \sum_i N(x; s_i, \sigma^2 I)` of m = 10,000 samples, with the window
:math:`\sigma` chosen on 1,000 held-out digits. We also score real training digits in place of samples, because the
number says little about likelihood in 784 dimensions: a model that scores above this row is not better than the data.

Reference: https://arxiv.org/abs/1406.2661, section 5 and Table 1; mnist.yaml and parzen_ll.py of
https://github.com/goodfeli/adversarial; on the measure: Theis et al. 2016, https://arxiv.org/abs/1511.01844
"""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.config import build
from ganvas.metrics.parzen import GOODFELLOW_SIGMAS, ParzenEstimate, parzen, unit_pixels
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, compose_preset, legs, run_preset
from ganvas.types import to_uint8

EPOCH = 50_000
SAMPLES, VALIDATION = 10_000, 1_000
EPOCHS = {"cpu": (5, 10, 20, 40, 60, 80, 100, 120, 140, 160), "full": (10, 25, 50, 100, 150, 200, 250, 300, 400, 500)}


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    digits = Digits(desk)
    real = digits.parzen(digits.real)
    row = {f"real_digits_{scale}": measured(real)}
    if scale == "smoke":
        run_preset(desk, "gan_table1", "maxout", desk.seed, ["budget.images=10_000"])
        return row | {"window": Measured([real.sigma])}
    course = {}
    for seen, trained in legs(desk, "gan_table1", "maxout", desk.seed, [EPOCH * e for e in EPOCHS[scale]]):
        course[seen // EPOCH] = found = digits.parzen(samples(trained))
        desk.report[f"parzen/epoch_{seen // EPOCH}"] = found.log_likelihood.mean
        desk.report[f"sigma/epoch_{seen // EPOCH}"] = found.sigma
    desk.samples("samples", trained.subject.model.sample(100, seed=0).cpu())
    desk.figure("parzen", _curve({e: p.log_likelihood.mean for e, p in course.items()}, real.log_likelihood.mean))
    return row | {f"gan_{scale}": measured(found)}


class Digits:
    """The digits of the estimate, pixels in [0, 1]: 10,000 training, 1,000 held-out and all test digits.

    Args:
        desk: desk of the program, whose seed chooses the training digits.
    """

    def __init__(self, desk: Desk) -> None:
        cfg, _ = compose_preset(desk, "gan_table1", "real digits", desk.seed)
        source = build(cfg.data)
        train, val, test = (source.load(split) for split in ("train", "val", "test"))
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(desk.seed))
        self.real = unit_pixels(train.batch(order[:SAMPLES]))
        self.validation = unit_pixels(val.batch(torch.arange(VALIDATION)))
        self.test, self.test_labels = unit_pixels(test.batch(torch.arange(len(test)))), test.labels

    def parzen(self, samples: Tensor) -> ParzenEstimate:
        """Compute the estimate of Table 1.

        Args:
            samples: 10,000 samples, pixels in [0, 1].
        """
        return parzen(samples, self.validation, self.test, GOODFELLOW_SIGMAS)


def samples(trained: Trained) -> Tensor:
    """Draw 10,000 samples, pixels in [0, 1]."""
    return unit_pixels(to_uint8(trained.subject.model.sample(SAMPLES, seed=0).cpu()))


def measured(found: ParzenEstimate) -> Measured:
    """Return an estimate with its standard error over test digits."""
    return Measured([found.log_likelihood.mean], found.log_likelihood.standard_error)


def _curve(course: dict[int, float], real: float) -> Figure:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([*course], [*course.values()], marker="o", label="GAN")
    axes.axhline(225, color="k", ls="--", label="paper: 225")
    axes.axhline(real, color="tab:green", ls=":", label="10,000 real training digits")
    axes.set(xlabel="epochs", ylabel="Parzen log-likelihood, nats", ylim=(-50, 260))
    axes.legend()
    return figure
