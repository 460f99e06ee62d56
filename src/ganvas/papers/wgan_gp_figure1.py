r"""Gulrajani et al. 2017, Figure 1: a critic under a gradient penalty, and under weight clipping.

(a) The generator is fixed at :math:`\tilde x = x + N(0, I)`; the critic's estimate
:math:`E f(x) - E f(\tilde x)` is compared with the exact :math:`W_1`, found by optimal assignment.
(b) Critics of twelve ReLU layers on the Swiss roll: under clipping, the norm of the loss's gradient explodes or
vanishes over the layers, depending on the bound; under the penalty it does neither. The weights of a clipped critic lie
at the bound.

Reference: https://arxiv.org/abs/1704.00028, section 3 and Figure 1; gan_toy.py of
https://github.com/igul222/improved_wgan_training
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.progress import track
from torch import Tensor, nn

from ganvas.data.sources.densities import Density, SwissRoll, grid, ring
from ganvas.networks.init import glorot_uniform_
from ganvas.networks.mlp import Critic
from ganvas.objectives import Constraint, GradientPenalty, Wasserstein, WeightClipping
from ganvas.papers.judgement import Measured
from ganvas.papers.optimal_transport import wasserstein1
from ganvas.papers.program import Desk

BATCH = 256
EXACT_POINTS, EXACT_DRAWS = 1500, 5
PENALTY = GradientPenalty(weight=10.0, every=1, target=1.0, one_sided=False)
CODE_PENALTY = GradientPenalty(weight=0.1, every=1, target=1.0, one_sided=False)
"""Penalty of the authors' toy code; the paper's text has weight 10."""
CLIPPING = WeightClipping(bound=0.01)
BOUNDS = (0.1, 0.01, 0.001)
AT_BOUND = 0.95
"""Smallest share of the bound that counts as being at the bound."""


def eight_gaussians() -> Density:
    """Make Figure 1's ring, as in the authors' code."""
    return ring(modes=8, radius=2.0, sigma=0.02, scale=1.414)


def twenty_five_gaussians() -> Density:
    """Make Figure 1's grid, as in the authors' code."""
    return grid(side=5, spacing=2.0, sigma=0.05, scale=2.828)


def swiss_roll() -> Density:
    """Make Figure 1's Swiss roll, as in the authors' code."""
    return SwissRoll(noise=0.25, scale=7.5)


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    exact = {"8g": exact_w1(eight_gaussians(), desk.seed), "25g": exact_w1(twenty_five_gaussians(), desk.seed)}
    trained = train_critic(eight_gaussians(), [128] * 3, PENALTY, adam, 300, desk.seed)
    desk.report["estimate_share_300_steps"] = trained.estimates[-1] / float(np.mean(exact["8g"]))
    return {f"exact_w1_{name}": Measured(values) for name, values in exact.items()}


def _cpu(desk: Desk) -> dict[str, Measured]:
    return _figure1(desk, steps=15_000, deep_width=128)


def _full(desk: Desk) -> dict[str, Measured]:
    found = _figure1(desk, steps=100_000, deep_width=512)
    return {f"{name}_full": measured for name, measured in found.items()}


def _figure1(desk: Desk, steps: int, deep_width: int) -> dict[str, Measured]:
    exact = float(np.mean(exact_w1(eight_gaussians(), desk.seed)))
    penalised = train_critic(eight_gaussians(), [512] * 3, PENALTY, adam, steps, desk.seed)
    loose = train_critic(eight_gaussians(), [512] * 3, CODE_PENALTY, adam, steps, desk.seed)
    clipped = train_critic(eight_gaussians(), [512] * 3, CLIPPING, rmsprop, 2_000, desk.seed)
    slopes = _depths(desk, deep_width)
    smallest = min(abs(slope) for name, slope in slopes.items() if name != "penalty")
    shares = {"clipped": clipped, "weight_0.1": loose}
    desk.report.update({f"{name}_over_exact": trained.estimates[-1] / exact for name, trained in shares.items()})
    desk.report["exact_w1"] = exact
    desk.report.update({f"slope/{name}": slope for name, slope in slopes.items()})
    desk.figure("figure1a", _value_surfaces(eight_gaussians(), penalised.critic, clipped.critic, desk.seed))
    desk.figure("figure1b_weights", _weights(penalised.critic, clipped.critic))
    desk.figure("estimates", _curves(penalised, clipped, exact))
    return {
        "critic_over_exact": Measured([penalised.estimates[-1] / exact]),
        "clipped_at_bound": Measured([share_at(clipped.critic, CLIPPING.bound)]),
        "penalised_at_bound": Measured([share_at(penalised.critic, CLIPPING.bound)]),
        "penalty_slope_smallest": Measured([abs(slopes["penalty"]) / smallest]),
    }


def exact_w1(density: Density, seed: int) -> list[float]:
    """Compute the exact distance of a density P from P plus N(0, I), for several draws of 1,500 points."""
    random = np.random.RandomState(seed)
    return [wasserstein1(*_pair(density, EXACT_POINTS, random)) for _ in range(EXACT_DRAWS)]


class Trained:
    """A trained critic with its history.

    Args:
        critic: the critic after the last step.
        steps: steps at which the distance was estimated.
        estimates: estimates of the distance at these steps, on fresh points.
    """

    def __init__(self, critic: Critic, steps: list[int], estimates: list[float]) -> None:
        self.critic, self.steps, self.estimates = critic, steps, estimates


def adam(critic: nn.Module) -> torch.optim.Optimizer:
    """Make Adam as in the authors' code: learning rate 1e-4, betas .5 and .9."""
    return torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.9), fused=True)


def rmsprop(critic: nn.Module) -> torch.optim.Optimizer:
    """Make RMSprop as in the authors' code for clipping: learning rate 5e-5."""
    return torch.optim.RMSprop(critic.parameters(), lr=5e-5)


def train_critic(
    density: Density,
    hidden: Sequence[int],
    constraint: Constraint,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    steps: int,
    seed: int,
) -> Trained:
    """Train a critic against the fixed generator of Figure 1.

    Args:
        density: density P of the real points.
        hidden: widths of the hidden layers.
        constraint: gradient penalty or weight clipping.
        optimizer: makes the optimiser of a critic.
        steps: number of updates.
        seed: seed of the initial weights and of the points.
    """
    torch.manual_seed(seed)
    random = np.random.RandomState([seed, 1])
    critic, objective = Critic((2,), hidden, "ReLU", partial(glorot_uniform_, gain=2**0.5)), Wasserstein()
    opt = optimizer(critic)
    seen, estimates = [], []
    for step in track(range(1, steps + 1), f"critic of {len(hidden)} layers, {type(constraint).__name__}"):
        real, fake = _pair(density, BATCH, random)
        loss = objective.critic_terms(critic(real), critic(fake)).total
        penalty = constraint.penalty(critic, real, fake)
        opt.zero_grad()
        (loss if penalty is None else loss + penalty).backward()
        opt.step()
        constraint.project(critic)
        if step % max(1, steps // 40) == 0:
            seen.append(step)
            estimates.append(estimate(critic, density, seed))
    return Trained(critic, seen, estimates)


def estimate(critic: nn.Module, density: Density, seed: int) -> float:
    """Compute the critic's estimate of the distance of P from P plus N(0, I), on 20,000 points it has not seen."""
    real, fake = _pair(density, 20_000, np.random.RandomState([seed, 2]))
    with torch.no_grad():
        return float(critic(real).double().mean() - critic(fake).double().mean())


def share_at(critic: nn.Module, bound: float) -> float:
    """Share of the critic's parameters whose absolute value is within 5% of ``bound``."""
    weights = torch.cat([p.detach().flatten() for p in critic.parameters()]).abs()
    return float(((weights >= AT_BOUND * bound) & (weights <= (2 - AT_BOUND) * bound)).double().mean())


def gradient_norms(critic: Critic, density: Density, seed: int) -> list[float]:
    """Norm of the critic loss's gradient with respect to the output of each hidden layer, first layer first."""
    real, fake = _pair(density, 2_000, np.random.RandomState([seed, 3]))
    outputs: list[Tensor] = []
    layers = [layer for layer in critic.body if isinstance(layer, nn.ReLU)]
    hooks = [layer.register_forward_hook(lambda _m, _i, out: outputs.append(out)) for layer in layers]
    scores = critic(torch.cat([real, fake]))
    for hook in hooks:
        hook.remove()
    loss = Wasserstein().critic_terms(*scores.split(len(real))).total
    return [float(g.double().norm()) for g in torch.autograd.grad(loss, outputs)]


def slope(norms: Sequence[float]) -> float:
    """Slope of the logarithm of the norms over the layers, by least squares.

    Args:
        norms: positive norm of each layer.
    """
    return float(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])


def _depths(desk: Desk, width: int) -> dict[str, float]:
    constraints = {f"clipping {c:g}": (WeightClipping(bound=c), rmsprop) for c in BOUNDS} | {"penalty": (PENALTY, adam)}
    norms = {}
    for name, (constraint, optimizer) in constraints.items():
        critic = train_critic(swiss_roll(), [width] * 12, constraint, optimizer, 2_000, desk.seed).critic
        norms[name] = gradient_norms(critic, swiss_roll(), desk.seed)
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    for name, values in norms.items():
        axes.semilogy(range(len(values), 0, -1), values[::-1], marker="o", label=name)
    axes.set(xlabel="discriminator layer", ylabel="gradient norm", title="Figure 1b: Swiss roll, 12 ReLU layers")
    axes.legend()
    desk.figure("figure1b", figure)
    return {name: slope(values) for name, values in norms.items()}


def _pair(density: Density, n: int, random: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Draw n points of P, and independently n points of P plus N(0, I)."""
    real, apart = (torch.from_numpy(density.sample(n, random)[0]).float() for _ in range(2))
    return real, apart + torch.from_numpy(random.standard_normal((n, 2))).float()


def _value_surfaces(density: Density, penalised: nn.Module, clipped: nn.Module, seed: int) -> Figure:
    figure = Figure(figsize=(9, 4.5))
    line = torch.linspace(-3, 3, 121)
    mesh = torch.cartesian_prod(line, line)
    points = density.sample(1000, np.random.RandomState(seed))[0]
    for axes, critic, title in zip(
        figure.subplots(1, 2), (clipped, penalised), ("weight clipping", "gradient penalty"), strict=True
    ):
        with torch.no_grad():
            values = critic(mesh).reshape(len(line), -1).T
        axes.contour(line, line, values, levels=12)
        axes.scatter(points[:, 0], points[:, 1], s=3, c="tab:orange")
        axes.set(title=title, aspect="equal")
    return figure


def _weights(penalised: nn.Module, clipped: nn.Module) -> Figure:
    figure = Figure(figsize=(9, 3.5))
    shown = {"weight clipping": (clipped, CLIPPING.bound), "gradient penalty": (penalised, 0.5)}
    for axes, (title, (critic, bound)) in zip(figure.subplots(1, 2), shown.items(), strict=True):
        weights = torch.cat([p.detach().flatten() for p in critic.parameters()])
        axes.hist(weights.numpy(), bins=80, range=(-1.1 * bound, 1.1 * bound))
        axes.set(title=title, xlabel="weights", yticks=[])
    return figure


def _curves(penalised: Trained, clipped: Trained, exact: float) -> Figure:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot(penalised.steps, penalised.estimates, label="gradient penalty")
    axes.plot(clipped.steps, clipped.estimates, label="weight clipping")
    axes.axhline(exact, color="k", ls="--", label="exact $W_1$")
    axes.set(xlabel="critic steps", ylabel="estimate of $W_1$")
    axes.legend()
    return figure
