"""Tomczak and Welling 2018, Table 1: a mixture of posteriors of learned images is a better prior than N(0, I).

Two VAEs with one stochastic layer differ in their prior. The digits are binarised once. The difference is paired by
test digit.

Reference: https://arxiv.org/abs/1705.07120, section 4 and Table 1; https://github.com/jmtomczak/vae_vampprior
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from ganvas.latents.vamp import AggregatePosterior
from ganvas.papers.bounds import gap, held_out_bounds, histograms, nll
from ganvas.papers.judgement import Measured
from ganvas.papers.linear_gaussian import POINTS, LinearGaussian
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset

PRIORS = {"standard": ["prior=normal"], "vamp": ["prior=vamp"]}
CPU = ["budget.images=1_800_000", "schedules.objective.beta.images=300_000"]
DIGITS_CPU, K_CPU = 1_000, 500
K = 5000
BATCH, CHUNK = 50, 20
"""Images and draws in one pass; the density of the VampPrior is a sum over 500 posteriors for each draw."""
SHOWN = 100


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    short = ["data=mnist5k", "budget.images=10_000", "schedules.objective.beta.images=2_000"]
    for name, own in PRIORS.items():
        few = ["prior.components=20"] if name == "vamp" else []
        trained = run_preset(desk, "vamp_prior", name, desk.seed, [*own, *few, *short])
        desk.report[f"nll_50/{name}_10k_images"] = float(-held_out_bounds(trained, 50, 200).mean())
    return {"bound_minus_evidence": Measured([mixture(desk.seed)])}


def _cpu(desk: Desk) -> dict[str, Measured]:
    bounds = _bounds(desk, CPU, K_CPU, DIGITS_CPU)
    return {"gap_cpu": gap(bounds["vamp"], bounds["standard"])}


def _full(desk: Desk) -> dict[str, Measured]:
    bounds = _bounds(desk, [], K, None)
    return {"gap_full": gap(bounds["vamp"], bounds["standard"]), "nll_vamp_full": nll(bounds["vamp"])}


def _bounds(desk: Desk, line: list[str], k: int, n: int | None) -> dict[str, Tensor]:
    trained = {name: run_preset(desk, "vamp_prior", name, desk.seed, [*own, *line]) for name, own in PRIORS.items()}
    desk.samples("pseudo_inputs", _pseudo_inputs(trained["vamp"]))
    bounds = {name: held_out_bounds(one, k, n, batch=BATCH, chunk=CHUNK) for name, one in trained.items()}
    desk.figure("nll", histograms(bounds))
    desk.report.update({f"nll/{name}": -float(bound.mean()) for name, bound in bounds.items()})
    return bounds


def _pseudo_inputs(trained: Trained) -> Tensor:
    prior = trained.subject.model.get_submodule("learned_prior")
    images: Tensor = prior.images  # type: ignore[assignment]
    return images[:SHOWN].detach().cpu()


def mixture(seed: int) -> float:
    """Compute the bound minus the evidence of a linear model whose prior is a mixture of three posteriors.

    Args:
        seed: seed of the model, of its points and of the posteriors.
    """
    latent, count = 3, 3
    model, generator = LinearGaussian(latent, seed), torch.Generator().manual_seed(seed)
    means = torch.randn(count, latent, generator=generator).double()
    deviations = 0.5 + torch.rand(count, latent, generator=generator).double()
    prior = AggregatePosterior(Independent(Normal(means, deviations), 1))
    x = model.points(prior.sample(POINTS, generator=generator))

    def encode(points: Tensor) -> Independent:
        mean, deviation = model.posterior_moments(points)
        return Independent(Normal(mean, 2 * deviation.expand_as(mean)), 1)

    parts = [model.evidence(x, m, s) for m, s in zip(means, deviations, strict=True)]
    exact = torch.stack(parts).logsumexp(0) - math.log(count)
    return float((model.bound(x, prior, encode) - exact).mean())
