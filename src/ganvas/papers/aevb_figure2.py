r"""Kingma and Welling 2014, Figure 2: the bound over training samples, by the dimension of the latent space.

The paper has no table. The claims are the order of its curves, that surplus latents do not overfit, and the loss that a
public reimplementation prints. Each bound is the objective's, with one draw for each image, on all digits of a split.

Reference: https://arxiv.org/abs/1312.6114, section 5 and Figure 2; https://github.com/pytorch/examples/tree/main/vae
"""

from __future__ import annotations

import itertools

from matplotlib.figure import Figure

from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, legs, run_preset

LATENTS = {"cpu": (3, 10, 20), "full": (3, 5, 10, 20, 200)}
SHORT = (100_000, 300_000, 1_000_000, 3_000_000)
STOPS = {"cpu": SHORT, "full": (*SHORT, 10_000_000, 30_000_000, 100_000_000)}
EXAMPLES_SEEDS = {"smoke": 1, "cpu": 2, "full": 5}

Curve = dict[int, tuple[float, float]]
"""Bounds on training and on test digits, nats, by the number of samples seen."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    losses = [_examples_loss(desk, seed) for seed in desk.seeds(EXAMPLES_SEEDS[scale])]
    found = {f"examples_epoch_7_{scale}": Measured(losses)}
    if scale == "smoke":
        return found
    curves = {dim: _curve(desk, dim, STOPS[scale]) for dim in LATENTS[scale]}
    desk.figure("figure2", _figure(curves))
    for dim, curve in curves.items():
        for seen, (train, test) in curve.items():
            desk.report.update({f"elbo/{dim}/train/{seen}": train, f"elbo/{dim}/test/{seen}": test})
    return found | {f"{name}_{scale}": value for name, value in _claims(curves).items()}


def _claims(curves: dict[int, Curve]) -> dict[str, Measured]:
    ends = {dim: list(curve.values())[-1] for dim, curve in curves.items()}
    pairs = itertools.pairwise(ends)
    gap = max(train - test for train, test in ends.values())
    rises = {f"elbo_{high}_over_{low}": Measured([ends[high][1] - ends[low][1]]) for low, high in pairs}
    return rises | {"largest_gap": Measured([gap])}


def _examples_loss(desk: Desk, seed: int) -> float:
    """Train the public recipe for seven epochs and return its test loss, nats."""
    trained = run_preset(desk, "aevb_figure2_examples", "pytorch examples", seed)
    return -_elbo(trained, "test")


def _curve(desk: Desk, dim: int, stops: tuple[int, ...]) -> Curve:
    line = [f"prior.dim={dim}"]
    runs = legs(desk, "aevb_figure2", f"N_z={dim}", desk.seed, stops, line)
    return {seen: (_elbo(trained, "train"), _elbo(trained, "test")) for seen, trained in runs}


def _elbo(trained: Trained, split: str) -> float:
    return trained.measured("elbo", split).scores["score/likelihood/elbo"].value


def _figure(curves: dict[int, Curve]) -> Figure:
    figure = Figure(figsize=(3 * len(curves), 3.5))
    for axes, (dim, curve) in zip(figure.subplots(1, len(curves), sharey=True), curves.items(), strict=True):
        train, test = zip(*curve.values(), strict=True)
        axes.semilogx([*curve], train, "r--", label="AEVB (train)")
        axes.semilogx([*curve], test, "r-", label="AEVB (test)")
        axes.set(title=f"MNIST, $N_z$ = {dim}", xlabel="training samples evaluated", ylim=(-150, -95))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("bound, nats")
    figure.axes[0].legend()
    return figure
