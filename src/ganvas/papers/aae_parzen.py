r"""Makhzani et al. 2015, Table 1: Parzen-window log-likelihood of MNIST digits under samples of an AAE.

The measure is that of :mod:`ganvas.papers.gan_table1`. The row of real digits stands beside it, and their difference,

.. math:: \ell(\text{samples}) - \ell(\text{real training digits}),

is positive for the paper's number: the measure prefers the samples to the data.

Reference: https://arxiv.org/abs/1511.05644, section 3 and Table 1; on the measure: Theis et al. 2016,
https://arxiv.org/abs/1511.01844
"""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from ganvas.metrics.parzen import ParzenEstimate
from ganvas.papers.gan_table1 import EPOCH, Digits, measured, samples
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import legs, run_preset

PRESET = "aae_parzen"
EPOCHS = {"cpu": (1, 2, 5, 10, 25), "full": (10, 25, 50, 100, 250, 500, 1000)}
PAPER = 340


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    digits = Digits(desk)
    real = digits.parzen(digits.real)
    row = {f"real_digits_{scale}": measured(real)}
    if scale == "smoke":
        run_preset(desk, PRESET, "aae", desk.seed, ["budget.images=2_000"])
        return row
    course = {}
    for seen, trained in legs(desk, PRESET, "aae", desk.seed, [EPOCH * e for e in EPOCHS[scale]]):
        course[seen // EPOCH] = found = digits.parzen(samples(trained))
        desk.report[f"parzen/epoch_{seen // EPOCH}"] = found.log_likelihood.mean
        desk.report[f"sigma/epoch_{seen // EPOCH}"] = found.sigma
    desk.samples("samples", trained.subject.model.sample(100, seed=0).cpu())
    desk.figure("parzen", _curve({e: p.log_likelihood.mean for e, p in course.items()}, real.log_likelihood.mean))
    return row | {f"above_the_data_{scale}": above(found, real), f"aae_{scale}": measured(found)}


def above(found: ParzenEstimate, real: ParzenEstimate) -> Measured:
    """Subtract the estimate of real digits; the standard errors are added as if the two were independent.

    Args:
        found: estimate of samples.
        real: estimate of real digits.
    """
    ours, theirs = found.log_likelihood, real.log_likelihood
    return Measured([ours.mean - theirs.mean], math.hypot(ours.standard_error, theirs.standard_error))


def _curve(course: dict[int, float], real: float) -> Figure:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([*course], [*course.values()], marker="o", label="adversarial autoencoder")
    axes.axhline(PAPER, color="k", ls="--", label=f"paper: {PAPER}")
    axes.axhline(real, color="tab:green", ls=":", label="10,000 real training digits")
    axes.set(xlabel="epochs", ylabel="Parzen log-likelihood, nats", ylim=(-50, 400))
    axes.legend()
    return figure
