"""Sønderby et al. 2016, section 3: a ladder infers more of the upper groups than inference from the bottom up.

Two VAEs with five groups of latents have the same generative model and differ in their inference. The difference of
their likelihoods is paired by test digit.

Reference: https://arxiv.org/abs/1602.02282, section 3
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float64
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import LowRankMultivariateNormal, Normal
from torch.nn.functional import softplus

from ganvas.latents.activity import LatentActivity, latent_activity
from ganvas.latents.hierarchy import noise_of, noise_posterior
from ganvas.metrics.nll import importance_bound
from ganvas.networks.init import normal_
from ganvas.networks.ladder import LEAST_VARIANCE, Ladder
from ganvas.papers.bounds import bounding, gap, held_out_bounds, histograms, nll
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset
from ganvas.types import Grouped

MODELS = {"bottom_up": ["model=hierarchical_vae"], "ladder": ["model=ladder_vae"]}
CPU = ["budget.images=1_200_000", "schedules.objective.beta.images=240_000"]
DIGITS_CPU, K_CPU = 1_000, 500
K, CHUNK, BATCH = 5000, 50, 250
DIMENSIONS, GROUPS, SIGMA = 4, (2, 3), 0.7
"""Sizes of the linear ladder, and the deviation of its noise."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    small = ["network.hierarchy.groups=[2,4,8]", "network.hierarchy.hidden=[16,32,64]"]
    short = ["data=mnist5k", "batch_size=64", "budget.images=5_000", "schedules.objective.beta.images=1_000"]
    for name, own in MODELS.items():
        trained = run_preset(desk, "ladder", name, desk.seed, [*own, *small, *short])
        desk.report[f"nll_50/{name}_5k_images"] = float(-held_out_bounds(trained, 50, 200).mean())
    bound, exact = linear_ladder(desk.seed)
    return {"bound_minus_evidence": Measured([float((bound - exact).mean())])}


def _cpu(desk: Desk) -> dict[str, Measured]:
    trained, bounds = _trained(desk, CPU, K_CPU, DIGITS_CPU)
    return {"gap_cpu": gap(bounds["ladder"], bounds["bottom_up"]), "active_cpu": _more_active(desk, trained)}


def _full(desk: Desk) -> dict[str, Measured]:
    trained, bounds = _trained(desk, [], K, None)
    return {
        "gap_full": gap(bounds["ladder"], bounds["bottom_up"]),
        "active_full": _more_active(desk, trained),
        "nll_ladder_full": nll(bounds["ladder"]),
    }


def _trained(
    desk: Desk, line: list[str], k: int, n: int | None
) -> tuple[dict[str, Trained], dict[str, Float64[Tensor, " n"]]]:
    trained = {name: run_preset(desk, "ladder", name, desk.seed, [*own, *line]) for name, own in MODELS.items()}
    bounds = {name: held_out_bounds(one, k, n, batch=BATCH, chunk=CHUNK) for name, one in trained.items()}
    desk.figure("nll", histograms(bounds))
    desk.report.update({f"nll/{name}": -float(bound.mean()) for name, bound in bounds.items()})
    return trained, bounds


def _more_active(desk: Desk, trained: dict[str, Trained]) -> Measured:
    """Measure how many more latents of the upper groups the ladder uses, and draw the KL of each latent."""
    found = {name: _activity(one) for name, one in trained.items()}
    for name, activity in found.items():
        counts = enumerate(activity.active_by_group, 1)
        desk.report.update({f"active/{name}/group_{group}": float(count) for group, count in counts})
    desk.figure("activity", _variances(found))
    upper = {name: sum(activity.active_by_group[:-1]) for name, activity in found.items()}
    return Measured([float(upper["ladder"] - upper["bottom_up"])])


def _activity(trained: Trained) -> LatentActivity:
    model = bounding(trained)
    assert isinstance(model, Grouped)
    batches = trained.subject.data.held_out("test", None, BATCH)
    return latent_activity(model.posterior_moments(batches), model.prior, model.groups)


def _variances(found: dict[str, LatentActivity]) -> Figure:
    """Draw the variances of the means of each group's noise, in falling order."""
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    for (name, activity), style in zip(found.items(), ("--", "-"), strict=True):
        for group, part in enumerate(activity.variance.split(activity.groups or len(activity.variance)), 1):
            values = part.sort(descending=True).values
            axes.plot(range(1, len(values) + 1), values, style, color=f"C{group}", label=f"{name}, group {group}")
    axes.axhline(0.01, color="black", linewidth=0.5)
    axes.set(xscale="log", yscale="log", xlabel="latent of the group", ylabel="variance of the posterior mean")
    axes.legend(fontsize="x-small", ncols=2)
    return figure


def linear_ladder(seed: int) -> tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]:
    r"""Compute the bound of 5,000 draws and the exact evidence of points under a ladder of two groups with linear maps.

    .. math:: z_2 \sim N(0, I), \quad z_1 \mid z_2 \sim N(W z_2 + b, S), \quad x \mid z_1 \sim N(V z_1 + c, \sigma^2 I)
        \;\Rightarrow\; x \sim N\big(V b + c,\; V (W W^T + S) V^T + \sigma^2 I\big).

    Args:
        seed: seed of the maps, of the points and of the draws.
    """
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        net = _with_constant_variances()
        x = net(torch.randn(64, sum(GROUPS)).double()) + SIGMA * torch.randn(64, DIMENSIONS).double()

        def log_weights(points: Tensor, k: int) -> Tensor:
            found = net.infer(points, k, lambda posterior: posterior.rsample())
            noise = noise_of(found.groups)
            ratio = Normal(0.0, 1.0).log_prob(noise) - noise_posterior(found.groups).log_prob(noise)
            likelihood = Normal(found.location, SIGMA).log_prob(points.repeat(k, 1))
            return (likelihood.sum(1) + ratio.sum(1)).unflatten(0, (k, len(points)))

        return importance_bound(log_weights, [x], K, 500), _evidence(net, x)


def _with_constant_variances() -> Ladder:
    fill = partial(normal_, std=0.4)
    net = Ladder((DIMENSIONS,), GROUPS, [1, 1], 0, "ReLU", False, fill, None).double()
    priors, evidence = _outputs(net.priors), _outputs(net.evidence)
    for layer in (*priors, *evidence):
        layer.weight[len(layer.weight) // 2 :] = 0
        nn.init.normal_(layer.bias, std=0.3)
    for layer in evidence:  # a wide posterior, so that few weights do not rule
        layer.weight *= 0.3
        layer.bias[len(layer.bias) // 2 :] += 1.5
    return net


def _outputs(gaussians: Any) -> list[nn.Linear]:
    return [gaussian.output for gaussian in gaussians]


def _evidence(net: Ladder, x: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
    (prior,) = _outputs(net.priors)
    (w, _), (b, s) = prior.weight.chunk(2), prior.bias.chunk(2)
    v = net.output.weight
    factor = torch.cat([v @ w, v * (softplus(s) + LEAST_VARIANCE).sqrt()], 1)
    noise = torch.full((DIMENSIONS,), SIGMA**2).double()
    return LowRankMultivariateNormal(v @ b + net.output.bias, factor, noise).log_prob(x)
