r"""Rainforth et al. 2018 and Tucker et al. 2019: a tighter bound gives the encoder noisier gradients; DReG does not.

The model is linear and Gaussian in D dimensions, and its parameters stand near their optimum:

.. math:: z \sim N(\mu, I), \quad x \mid z \sim N(z, I), \quad q(z \mid x) = N(A x + b, \tfrac23 I), \qquad
    A^* = \tfrac12 I, \quad b^* = \tfrac12 \mu^*, \quad \mu^* = \bar x.

The signal-to-noise ratio of the gradient in b, of all N points and K draws each, is the norm of its expectation over
the root of its total variance. For the importance weighted bound it falls as :math:`K^{-1/2}`; its leading term is
known exactly, see :func:`leading_ratio`. For doubly reparameterised gradients it rises as :math:`K^{1/2}`.

Reference: https://arxiv.org/abs/1802.04537, theorem 1 and section 4; https://arxiv.org/abs/1810.04152, eq. 8
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Independent, Normal

from ganvas.objectives import IWAE, Bound, Draws, DReG
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk

DIMENSIONS, POINTS, PERTURBATION = 20, 1024, 0.01
COVARIANCE = 2 / 3
"""Variance of the encoder in each dimension; that of the exact posterior is 1/2."""
NUMBERS, REPEATS, SEEDS = (4, 8, 16, 32, 64), 128, 5
LARGE_NUMBERS, LARGE_REPEATS = (64, 128, 256, 512), 32
NUMBERS_SMOKE, REPEATS_SMOKE = (4, 16), 32


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    world = World.drawn(desk.seed)
    return {
        "iwae_slope_smoke": Measured([slope(ratios(world, IWAE, NUMBERS_SMOKE, REPEATS_SMOKE))]),
        "dreg_slope_smoke": Measured([slope(ratios(world, DReG, NUMBERS_SMOKE, REPEATS_SMOKE))]),
        "networks_agree": Measured([difference_for_the_prior(world, 16)]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    worlds = [World.drawn(seed) for seed in desk.seeds(SEEDS)]
    iwae, dreg = ([ratios(world, kind, NUMBERS, REPEATS) for world in worlds] for kind in (IWAE, DReG))
    large = [ratios(world, DReG, LARGE_NUMBERS, LARGE_REPEATS) for world in worlds]
    theory = [leading_ratio(world, NUMBERS[-1]) for world in worlds]
    curves = {"IWAE": iwae, "DReG": dreg, "DReG, large K": large}
    desk.figure("ratios", _drawn(curves))
    for name, found in curves.items():
        for k in found[0]:
            desk.report[f"ratio/{name}/{k}"] = sum(each[k] for each in found) / len(found)
    return {
        "iwae_slope": Measured([slope(found) for found in iwae]),
        "dreg_slope": Measured([slope(found) for found in dreg]),
        "dreg_slope_large": Measured([slope(found) for found in large]),
        "iwae_leading_term": Measured([found[NUMBERS[-1]] / known for found, known in zip(iwae, theory, strict=True)]),
        "dreg_is_unbiased": Measured([squared_bias(world, 4, REPEATS) for world in worlds]),
    }


@final
@dataclass(frozen=True, eq=False)
class World:
    """Points, and a model of them near its optimum.

    Args:
        x: the points, ``(n, d)``.
        mu: mean of the prior.
        a: matrix of the encoder.
        b: offset of the encoder.
        seed: seed of all this; draws of the latents have streams of their own beside it.
    """

    x: Float[Tensor, "n d"]
    mu: Float[Tensor, " d"]
    a: Float[Tensor, "d d"]
    b: Float[Tensor, " d"]
    seed: int

    @classmethod
    def drawn(cls, seed: int) -> World:
        """Draw the true mean, points of its model, and parameters around their optimum.

        Args:
            seed: seed of all draws.
        """
        generator = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        x = draw(DIMENSIONS) + math.sqrt(2) * draw(POINTS, DIMENSIONS)  # z and x given z have variance 1 each
        mean = x.mean(dim=0)
        mu = mean + PERTURBATION * draw(DIMENSIONS)
        a = torch.eye(DIMENSIONS) / 2 + PERTURBATION * draw(DIMENSIONS, DIMENSIONS)
        return cls(x, mu, a, mean / 2 + PERTURBATION * draw(DIMENSIONS), seed)

    def stream(self, number: int) -> torch.Generator:
        """Make a generator for draws of the latents.

        Args:
            number: number of the stream, below 100,000; no other model has the same streams.
        """
        return torch.Generator().manual_seed(100_000 * (self.seed + 1) + number)

    def gradients(
        self, objective: Bound, generator: torch.Generator
    ) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        """Compute the gradients in b and in the prior's mean, of all points, with new draws.

        Args:
            objective: the bound.
            generator: of the draws.
        """
        mu, b = self.mu.clone().requires_grad_(), self.b.clone().requires_grad_()
        mean = self.x @ self.a.T + b
        posterior = Independent(Normal(mean, math.sqrt(COVARIANCE)), 1)
        noise = torch.randn(objective.samples, *mean.shape, generator=generator)
        z = mean + math.sqrt(COVARIANCE) * noise
        log_px_z, log_pz = Normal(z, 1.0).log_prob(self.x).sum(-1), Normal(mu, 1.0).log_prob(z).sum(-1)
        draws = Draws(log_px_z, log_pz, posterior.log_prob(z), None, z, posterior, POINTS)
        of_b, of_mu = torch.autograd.grad(objective(draws).total, [b, mu])
        return of_b, of_mu


def ratios(world: World, kind: Any, numbers: tuple[int, ...], repeats: int) -> dict[int, float]:
    """Measure the signal-to-noise ratio of the gradient in b for several numbers of draws K.

    Args:
        world: points and parameters.
        kind: class of the bound, made from K.
        numbers: the numbers of draws.
        repeats: number of gradients for each, at least 2.
    """
    found = {}
    for k in numbers:
        generator = world.stream(k)
        found[k] = signal_to_noise(torch.stack([world.gradients(kind(k), generator)[0] for _ in range(repeats)]))
    return found


def signal_to_noise(gradients: Float[Tensor, "r d"]) -> float:
    r"""Compute the ratio of R gradients of mean :math:`\bar g` and covariance S.

    .. math:: \mathrm{SNR}^2 = \big( \|\bar g\|^2 - \tfrac1R \operatorname{tr} S \big) / \operatorname{tr} S

    The numerator estimates :math:`\|\mathbb{E}\, g\|^2` without bias; it is 0 where the estimate is negative.

    Args:
        gradients: at least 2.
    """
    g = gradients.double()
    noise = g.var(dim=0).sum()
    signal = (g.mean(dim=0).square().sum() - noise / len(g)).clamp(min=0)
    return float((signal / noise).sqrt())


def slope(found: dict[int, float]) -> float:
    """Fit a line to the logarithm of the ratio over the logarithm of K by least squares, and return its slope.

    Args:
        found: ratio by K; a ratio of 0 makes the slope infinite or undefined.
    """
    x, y = (torch.tensor(list(values), dtype=torch.float64).log() for values in (found, found.values()))
    x = x - x.mean()
    return float((x @ y) / x.square().sum())


def leading_ratio(world: World, k: int) -> float:
    r"""Compute the leading term in K of the importance weighted bound's ratio, in closed form.

    With :math:`\delta` the distance of the encoder's mean from that of the exact posterior, :math:`\sigma^2 = 1/2` and
    :math:`s^2 = 2/3`, the ratio :math:`w` of the two densities has

    .. math:: \mathbb{E}\, w^2 = c\, e^{6 |\delta|^2 / 5}, \qquad c = \big( (s / \sigma^2) \sqrt{2/5} \big)^D,

    and under the density in proportion to :math:`w^2 q` the draws are :math:`N(-\tfrac35 \delta, \tfrac25 I)` around
    the exact mean. The gradient of a point has the expectation :math:`\tfrac{1}{2K} \nabla_b \mathbb{E}\, w^2` and the
    variance :math:`\tfrac1K \mathbb{E}\, w^2\, (2 (z - m))^2` in each coordinate.

    Args:
        world: points and parameters.
        k: number of draws.
    """
    x, mu, a, b = (tensor.double() for tensor in (world.x, world.mu, world.a, world.b))
    points, dimensions = x.shape
    delta = x @ a.T + b - (x + mu) / 2
    constant = (math.sqrt(COVARIANCE) / 0.5 * math.sqrt(0.4)) ** dimensions
    second = constant * torch.exp(1.2 * delta.square().sum(dim=1, keepdim=True))
    expectation = (1.2 * second * delta / k).mean(dim=0)
    variance = (second * 4 * (0.4 + (0.6 * delta).square()) / k).mean(dim=0) / points
    return float((expectation.square().sum() / variance.sum()).sqrt())


def squared_bias(world: World, k: int, repeats: int) -> float:
    """Compare the mean gradients in b of the two estimators on the same draws: mean squared z-score, 1 for no bias.

    Args:
        world: points and parameters.
        k: number of draws.
        repeats: number of gradients of each.
    """
    pairs = [[world.gradients(kind(k), world.stream(1000 + i))[0] for kind in (IWAE, DReG)] for i in range(repeats)]
    difference = torch.stack([one - other for one, other in pairs]).double()
    return float((difference.mean(dim=0).square() * repeats / difference.var(dim=0)).mean())


def difference_for_the_prior(world: World, k: int) -> float:
    """Compare the gradients in the prior's mean of the two estimators on the same draws: relative distance.

    Args:
        world: points and parameters.
        k: number of draws.
    """
    one, other = (world.gradients(kind(k), world.stream(0))[1] for kind in (IWAE, DReG))
    return float((one - other).norm() / one.norm())


def _drawn(found: dict[str, list[dict[int, float]]]) -> Figure:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for color, (name, curves) in zip(("C0", "C1", "C2"), found.items(), strict=True):
        for i, curve in enumerate(curves):
            axes.loglog(list(curve), list(curve.values()), color=color, marker=".", label=None if i else name)
    axes.set(xlabel="draws K", ylabel="signal-to-noise ratio of the gradient in b")
    axes.legend()
    return figure
