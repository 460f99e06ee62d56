r"""Burda, Grosse and Salakhutdinov 2016, Table 1: the importance-weighted bound gives better models than the ELBO.

Models with one stochastic layer are trained on :math:`L_k` and scored by :math:`-L_{5000}` on the test digits, which
are binarised once. Claims about the difference of two models are paired by test image.

Reference: https://arxiv.org/abs/1509.00519, section 5 and Table 1; https://github.com/yburda/iwae
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.distributions import LowRankMultivariateNormal, Normal

from ganvas.latents.activity import latent_activity
from ganvas.metrics.nll import importance_bound
from ganvas.models.schedules import Stages
from ganvas.papers.bounds import bounding, gap, held_out_bounds, histograms, nll
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset

K, CHUNK, BATCH = 5000, 100, 250
EPOCH = 60_000
STAGES_CPU, DIGITS_CPU = 5, 2_000
BATCH_CPU = ["batch_size=32", "optimizer.eps=3.125e-6"]
"""Batches of 32 make five eighths of the updates of the paper's 20. eps is 1e-4 / 32: the authors' code sums the
loss over the batch and we take its mean."""
OBJECTIVES = {"vae_1": ["model=vae"], "iwae_5": ["model=iwae", "objective.samples=5"]}
FULL = OBJECTIVES | {"iwae_50": ["model=iwae", "objective.samples=50"]}


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    short = ["data=mnist5k", "budget.images=20_000", "batch_size=100"]
    for name, overrides in OBJECTIVES.items():
        trained = run_preset(desk, "iwae_table1_paper", name, desk.seed, [*overrides, *short])
        desk.report[f"nll_50/{name}_20k_images"] = float(-held_out_bounds(trained, 50, 200).mean())
    bound, exact = linear_gaussian(desk.seed)
    return {
        "bound_minus_evidence": Measured([float((bound - exact).mean())]),
        "epochs": Measured([float(epochs_of_stages(8))]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    budget = f"budget.images={epochs_of_stages(STAGES_CPU) * EPOCH}"
    names = {name: [*overrides, budget, *BATCH_CPU] for name, overrides in OBJECTIVES.items()}
    found = {name: run_preset(desk, "iwae_table1_paper", name, desk.seed, line) for name, line in names.items()}
    bounds = {name: held_out_bounds(trained, K, DIGITS_CPU) for name, trained in found.items()}
    units = {name: _active(trained) for name, trained in found.items()}
    desk.report.update({f"active_units/{name}": float(n) for name, n in units.items()})
    desk.figure("nll", histograms(bounds))
    return {
        **{f"nll_{name}": nll(bound) for name, bound in bounds.items()},
        "gap": gap(bounds["iwae_5"], bounds["vae_1"]),
        "more_active_units": Measured([float(units["iwae_5"] - units["vae_1"])]),
    }


def _full(desk: Desk) -> dict[str, Measured]:
    found = {
        name: run_preset(desk, "iwae_table1_paper", name, desk.seed, overrides) for name, overrides in FULL.items()
    }
    bounds = {name: held_out_bounds(trained, K) for name, trained in found.items()}
    desk.report.update({f"active_units/{name}": float(_active(trained)) for name, trained in found.items()})
    desk.figure("nll", histograms(bounds))
    return {f"nll_{name}_full": nll(bound) for name, bound in bounds.items()}


def epochs_of_stages(stages: int) -> int:
    """Count the epochs of the first ``stages`` stages: the first epoch whose learning rate is below theirs."""
    schedule, last = Stages(epoch=1), 10 ** (-(stages - 1) / 7)
    return next(epoch for epoch in range(3**stages) if schedule(epoch) < 0.999 * last)


def linear_gaussian(seed: int) -> tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]:
    r"""Compute the bound and the exact evidence of a model whose evidence has a closed form.

    .. math:: z \sim N(0, I), \quad x \mid z \sim N(W z, \sigma^2 I), \quad \log p(x) = \log N(x; 0, W W^T + \sigma^2 I)

    The proposals are twice as wide as the posterior, so that the weights differ.

    Args:
        seed: seed of W, of the points and of the draws.

    Returns:
        :math:`L_{5000}` and :math:`\log p` of 64 points, nats.
    """
    generator = torch.Generator().manual_seed(seed)
    d, latent, sigma = 20, 5, 0.5
    w = torch.randn(d, latent, generator=generator).double()
    x = torch.randn(64, latent, generator=generator).double() @ w.T
    x += sigma * torch.randn(64, d, generator=generator)
    covariance = torch.linalg.inv(torch.eye(latent).double() + w.T @ w / sigma**2)
    mean, spread = x @ w @ covariance / sigma**2, 2 * covariance.diagonal().sqrt()

    def log_weights(points: Tensor, k: int) -> Tensor:
        z = mean + spread * torch.randn(k, len(points), latent, generator=generator).double()
        likelihood = Normal(z @ w.T, sigma).log_prob(points).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1) - Normal(mean, spread).log_prob(z).sum(-1)

    exact = LowRankMultivariateNormal(torch.zeros(d).double(), w, torch.full((d,), sigma**2).double()).log_prob(x)
    return importance_bound(log_weights, [x], K, CHUNK), exact


def _active(trained: Trained) -> int:
    model = bounding(trained)
    batches = trained.subject.data.held_out("test", None, BATCH)
    return latent_activity(model.posterior_moments(batches), model.prior).active_units
