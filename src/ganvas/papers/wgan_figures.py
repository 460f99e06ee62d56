r"""Arjovsky, Chintala and Bottou 2017, Example 1 and Figures 3 and 4: a loss that follows the quality of the samples.

Example 1: two parallel lines at distance :math:`\theta` have :math:`W_1 = |\theta|`, while their Jensen-Shannon
divergence is :math:`\log 2` for every :math:`\theta \ne 0` and gives no gradient. Figures 3 and 4: the Wasserstein
estimate of a WGAN falls as its samples improve; a GAN's bound :math:`\log 2 - L / 2` on the Jensen-Shannon divergence
does not. The paper shows samples; here both losses are compared with an independent Fréchet distance.

Reference: https://arxiv.org/abs/1701.07875, section 2 and 4; https://github.com/martinarjovsky/WassersteinGAN
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor

from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.histogram import histogram_kl
from ganvas.papers.judgement import Measured
from ganvas.papers.optimal_transport import wasserstein1
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset
from ganvas.types import to_uint8

THETAS = (-1.0, -0.5, 0.1, 0.5, 1.0)
POINTS = 200
SAMPLES = 10_000


class Course(NamedTuple):
    """A loss and a Fréchet distance at the same numbers of images.

    Args:
        images: numbers of images seen, rising.
        loss: mean loss since the previous number of images.
        fd: Fréchet distance on the embedded extractor.
    """

    images: list[int]
    loss: list[float]
    fd: list[float]

    @property
    def rho(self) -> float:
        """Spearman's rank correlation of loss and distance."""
        return float(spearmanr(self.loss, self.fd).statistic)


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    errors = [abs(wasserstein1(line(0.0), line(theta)) - abs(theta)) for theta in THETAS]
    for model in ("wgan", "gan"):
        short = ["data=mnist5k", "budget.images=6_400", "score.n_during=500", "score.n=500"]
        trained = run_preset(desk, "wgan_figures", model, desk.seed, [f"model={model}", *short])
        desk.report[f"fd/{model}_6400_images"] = trained.score("score/mnist/fd")
    return {
        "w1_of_lines": Measured([max(errors)]),
        "js_of_lines": Measured([min(jensen_shannon(line(0.0), line(theta)) for theta in THETAS)]),
        "js_at_zero": Measured([jensen_shannon(line(0.0), line(0.0))]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    return _compared(desk, ["budget.images=10_000_000"], [])


def _full(desk: Desk) -> dict[str, Measured]:
    budget = ["budget.images=64_000_000"]
    return {f"{name}_full": found for name, found in _compared(desk, budget, budget).items()}


def _compared(desk: Desk, of_wgan: list[str], of_gan: list[str]) -> dict[str, Measured]:
    wgan = run_preset(desk, "wgan_figures", "wgan", desk.seed, ["model=wgan", *of_wgan])
    gan = run_preset(desk, "wgan_figures", "gan", desk.seed, ["model=gan", *of_gan])
    estimate = _course(wgan, "train/critic/wasserstein", lambda loss: loss)
    divergence = _course(gan, "train/critic/total", lambda loss: math.log(2) - loss / 2)
    classes = _classes(wgan)
    later = divergence.loss[len(divergence.loss) // 2 :]
    desk.report.update({"rho/gan": divergence.rho, "checkpoints": len(estimate.fd)})
    for name, trained in {"wgan": wgan, "gan": gan}.items():
        desk.report.update(
            {f"fd/{name}": trained.score("score/mnist/fd"), f"is/{name}": trained.score("score/mnist/is")}
        )
    desk.figure("figures3and4", _figure(estimate, divergence))
    desk.samples("samples", wgan.subject.model.sample(100, seed=0).cpu())
    return {
        "rho_wgan": Measured([estimate.rho]),
        "js_lowest": Measured([min(later)]),
        "rho_gan_minus_wgan": Measured([abs(divergence.rho) - estimate.rho]),
        "classes": Measured([float((classes > 0).sum())]),
        "class_kl": Measured([histogram_kl(classes, torch.ones_like(classes))]),
    }


def line(theta: float) -> Float[Tensor, "n 2"]:
    """Make points ``(theta, y)`` with y at the middles of equal parts of [0, 1]."""
    y = (torch.arange(POINTS) + 0.5) / POINTS
    return torch.stack([torch.full_like(y, theta), y], dim=1)


def jensen_shannon(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> float:
    r"""Compute the divergence of two finite distributions, each uniform over its points, nats.

    .. math:: \tfrac12 \sum_a p_a \log \frac{2 p_a}{p_a + q_a} + \tfrac12 \sum_a q_a \log \frac{2 q_a}{p_a + q_a}

    Args:
        x: points of the first distribution.
        y: points of the second distribution.
    """
    _, index = torch.cat([x, y]).unique(dim=0, return_inverse=True)
    n = int(index.max()) + 1
    p, q = (torch.bincount(i, minlength=n).double() / len(i) for i in (index[: len(x)], index[len(x) :]))
    return float(sum(0.5 * torch.xlogy(a, 2 * a / (p + q)).nan_to_num(nan=0.0).sum() for a in (p, q)))


def between(steps: Sequence[int], values: Sequence[float], stops: Sequence[int]) -> list[float]:
    """Average the values between consecutive stops.

    Args:
        steps: step of each value, rising.
        values: values to average.
        stops: ends of the intervals, rising; each belongs to the interval before it.
    """
    bins = np.searchsorted(stops, steps, side="left")
    return [float(np.mean(np.asarray(values)[bins == i])) for i in range(len(stops))]


def _course(trained: Trained, key: str, turn: Callable[[float], float]) -> Course:
    stops, fd = trained.course("val/mnist/fd")
    steps, losses = trained.course(key)
    return Course(stops, [turn(loss) for loss in between(steps, losses, stops)], fd)


def _classes(trained: Trained) -> Tensor:
    logits = extract(MnistExtractor(), to_uint8(trained.subject.model.sample(SAMPLES, seed=0).cpu()), 250).logits
    assert logits is not None
    return logits.argmax(1).bincount(minlength=10)


def _figure(estimate: Course, divergence: Course) -> Figure:
    figure = Figure(figsize=(9, 3.5))
    shown = {"WGAN: Wasserstein estimate": estimate, "GAN: bound on the JS divergence": divergence}
    for axes, (title, course) in zip(figure.subplots(1, 2), shown.items(), strict=True):
        axes.plot(course.images, course.loss)
        axes.set(title=f"{title}, rho = {course.rho:.2f}", xlabel="images seen")
        other = axes.twinx()
        other.plot(course.images, course.fd, color="tab:orange")
        other.set_ylabel("fd (mnist)", color="tab:orange")
    figure.tight_layout()
    return figure
