r"""Davidson et al. 2018, Table 1: in few dimensions, latents on a sphere give a better likelihood than normal ones.

Two VAEs with latents of d dimensions differ in prior and posterior: N(0, I) and a normal in d coordinates, or the
uniform and a von Mises-Fisher distribution on the sphere in d + 1 coordinates. Differences are paired by test digit.

Reference: https://arxiv.org/abs/1804.00891, section 5.2 and Table 1; https://github.com/nicola-decao/s-vae-pytorch
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ganvas.latents import UniformSphere, VonMisesFisher
from ganvas.latents.von_mises_fisher import VonMisesFisherPosterior
from ganvas.papers.bounds import gap, held_out_bounds, histograms
from ganvas.papers.judgement import Measured
from ganvas.papers.linear_gaussian import POINTS, LinearGaussian
from ganvas.papers.program import Desk
from ganvas.papers.training import run_preset

K = 500
DIMENSIONS = (2, 5)
CPU = ["budget.images=2_100_000"]
DIGITS_CPU = 2_000
ANGLES = 4_000


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def latents(space: str, d: int) -> list[str]:
    """Write the overrides that choose latents of d dimensions.

    Args:
        space: ``normal`` or ``sphere``.
        d: number of dimensions.
    """
    if space == "sphere":
        return ["prior=sphere", "posterior=von_mises_fisher", f"prior.dim={d + 1}"]
    return [f"prior.dim={d}"]


def _smoke(desk: Desk) -> dict[str, Measured]:
    for space in ("normal", "sphere"):
        line = [*latents(space, 2), "data=mnist5k", "budget.images=10_000"]
        trained = run_preset(desk, "svae_table1", f"{space} d=2", desk.seed, line)
        desk.report[f"nll_50/{space}_10k_images"] = float(-held_out_bounds(trained, 50, 200).mean())
    return {"divergence": Measured([divergence_error()]), "bound_minus_evidence": Measured([circle(desk.seed)])}


def _cpu(desk: Desk) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    for d in DIMENSIONS:
        bounds = _bounds(desk, d, desk.seed, CPU, DIGITS_CPU)
        desk.figure(f"nll_{d}", histograms(bounds))
        desk.report.update({f"nll/{name}": -float(bound.mean()) for name, bound in bounds.items()})
        found[f"gap_{d}"] = gap(bounds[f"sphere d={d}"], bounds[f"normal d={d}"])
    return found


def _full(desk: Desk) -> dict[str, Measured]:
    seeds = [_bounds(desk, 2, seed, [], None) for seed in desk.seeds(3)]
    levels = {name: [-float(bounds[name].mean()) for bounds in seeds] for name in seeds[0]}
    five = _bounds(desk, 5, desk.seed, [], None)
    return {
        "nll_normal_2_full": Measured(levels["normal d=2"]),
        "nll_sphere_2_full": Measured(levels["sphere d=2"]),
        "gap_5_full": gap(five["sphere d=5"], five["normal d=5"]),
    }


def _bounds(desk: Desk, d: int, seed: int, overrides: list[str], n: int | None) -> dict[str, Tensor]:
    lines = {f"{space} d={d}": [*latents(space, d), *overrides] for space in ("normal", "sphere")}
    trained = {name: run_preset(desk, "svae_table1", name, seed, line) for name, line in lines.items()}
    return {name: held_out_bounds(one, K, n) for name, one in trained.items()}


def divergence_error() -> float:
    r"""Compute the largest error of the divergence on the sphere in three coordinates, where it is elementary.

    .. math:: \mathrm{KL} = \kappa \coth \kappa - 1 - \log \frac{\sinh \kappa}{\kappa}
    """
    kappa = torch.logspace(-2, 4, 61, dtype=torch.float64)
    posterior = VonMisesFisherPosterior(torch.eye(3).double()[[0] * 61], kappa, torch.float64)
    log_sinh = kappa + torch.log(-torch.expm1(-2 * kappa)) - math.log(2)
    exact = kappa / torch.tanh(kappa) - 1 - log_sinh + kappa.log()
    found = UniformSphere(3).kl(posterior)
    assert found is not None
    return float((found[:, 0] - exact).abs().max())


def circle(seed: int) -> float:
    """Compute the bound minus the evidence of a linear model with latents on a circle, where an integral is exact.

    Args:
        seed: seed of the model and of its points.
    """
    model, prior = LinearGaussian(2, seed), UniformSphere(2)
    x = model.points(prior.sample(POINTS, generator=torch.Generator().manual_seed(seed)).double())
    family = VonMisesFisher(least=1.0)

    def encode(points: Tensor) -> VonMisesFisherPosterior:
        direction = normalize(model.posterior_moments(points)[0], dim=1)
        return family(torch.cat([direction, torch.full((len(points), 1), 5.0).double()], dim=1))

    angle = torch.arange(ANGLES).double() * (2 * math.pi / ANGLES)
    z = torch.stack([angle.cos(), angle.sin()], dim=1)[:, None]
    exact = model.log_likelihood(x, z.expand(-1, len(x), -1)).logsumexp(0) - math.log(ANGLES)
    return float((model.bound(x, prior, encode) - exact).mean())
