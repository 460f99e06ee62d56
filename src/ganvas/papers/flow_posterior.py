"""Kingma et al. 2016, as a public program has it: an inverse autoregressive flow beside a mean-field posterior.

The paper compares posteriors in a deep residual network. A public reference program compares them in a small dense VAE
on fixed binarised digits, and prints its logs. That program is the recipe here; it draws the KL of both posteriors,
also that of the normal, which has a closed form. The closed form is measured beside. Differences are paired by digit.

Reference: https://arxiv.org/abs/1606.04934; https://github.com/jaanli/variational-autoencoder
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.latents import FlowPosterior, InverseAutoregressive, Normal
from ganvas.papers.bounds import gap, held_out_bounds, histograms, nll
from ganvas.papers.judgement import Measured
from ganvas.papers.linear_gaussian import POINTS, LinearGaussian
from ganvas.papers.program import Desk
from ganvas.papers.training import run_preset

K = 1000
POSTERIORS = {
    "mean_field": ["posterior=normal", "objective=iwae", "objective.samples=1"],  # one draw: the bound with a drawn KL
    "iaf": ["posterior=iaf", "posterior.context=128"],
    "closed_form": ["posterior=normal"],
}
DIGITS_CPU = 2_000


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    if scale == "smoke":
        return _smoke(desk)
    # The public program's log of 30,000 batches is scale cpu; its best numbers are from longer runs.
    line, digits = {"cpu": ([], DIGITS_CPU), "full": (["budget.images=8_320_000"], None)}[scale]
    trained = {
        name: run_preset(desk, "flow_posterior", name, desk.seed, [*own, *line]) for name, own in POSTERIORS.items()
    }
    bounds = {name: held_out_bounds(one, K, digits) for name, one in trained.items()}
    desk.figure("nll", histograms(bounds))
    desk.report.update({f"nll/{name}": -float(bound.mean()) for name, bound in bounds.items()})
    levels = {} if scale == "cpu" else {f"nll_{name}_full": nll(bound) for name, bound in bounds.items()}
    return {f"gap_{scale}": gap(bounds["iaf"], bounds["mean_field"]), **levels}


def _smoke(desk: Desk) -> dict[str, Measured]:
    for name, own in POSTERIORS.items():
        trained = run_preset(desk, "flow_posterior", name, desk.seed, [*own, "data=mnist5k", "budget.images=10_000"])
        desk.report[f"nll_50/{name}_10k_images"] = float(-held_out_bounds(trained, 50, 200).mean())
    error, inverse = linear_gaussian(desk.seed)
    return {"bound_minus_evidence": Measured([error]), "inverse": Measured([inverse])}


def linear_gaussian(seed: int) -> tuple[float, float]:
    """Compute the bound minus the evidence of a linear model whose posterior is an inverse autoregressive flow.

    Args:
        seed: seed of the model, of its points and of the flow's weights.

    Returns:
        The mean difference, and the largest difference of the density of draws from that found by the inverse maps.
    """
    latent, context = 5, 2
    model = LinearGaussian(latent, seed)
    x = model.points(torch.randn(POINTS, latent, generator=torch.Generator().manual_seed(seed)).double())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        family = InverseAutoregressive(latent, maps=2, hidden=[16], context=context, gate=2.0).double()
        for weight in family.parameters():
            nn.init.normal_(weight, std=0.1)

    def encode(points: Tensor) -> FlowPosterior:
        mean, deviation = model.posterior_moments(points)
        # Two gates scale by about .78; the base is wider, so that the flow covers the posterior.
        base = [mean / 0.78, 2 * (2.5 * deviation).log().expand_as(mean), points[:, :context]]
        return family(torch.cat(base, dim=1))

    with torch.no_grad():
        bound = model.bound(x, Normal(latent), encode)
        posterior = encode(x)
        z = posterior.rsample((4,))
        inverse = (posterior.log_prob(z) - posterior.log_prob(z.clone())).abs().max()
    exact = model.evidence(x, torch.zeros(latent).double(), torch.ones(latent).double())
    return float((bound - exact).mean()), float(inverse)
