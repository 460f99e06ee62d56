r"""Kingma and Welling 2014, Figure 2: the bound over training samples, by the dimension of the latent space.

The paper has no table. The claims are the order of its curves, that surplus latents do not overfit, and the loss that a
public reimplementation prints. Each bound is the objective's, with one draw for each image, on all images of a split.

Reference: https://arxiv.org/abs/1312.6114, section 5 and Figure 2; https://github.com/pytorch/examples/tree/main/vae
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import final

from matplotlib.figure import Figure

from ganvas.papers.frey_faces import frey_faces
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, legs, run_preset

SHORT = (100_000, 300_000, 1_000_000, 3_000_000)
LONG = (*SHORT, 10_000_000, 30_000_000, 100_000_000)
EXAMPLES_SEEDS = {"smoke": 1, "cpu": 2, "full": 5}

Curve = dict[int, tuple[float, float]]
"""Bounds on training and on test images, nats, by the number of samples seen."""


@final
@dataclass(frozen=True)
class Panel:
    """One half of the figure.

    Args:
        title: name of the data.
        experiment: preset in ``conf/experiment``.
        prefix: begins the names of the panel's claims.
        latents: numbers of latents by scale.
        stops: numbers of samples by scale.
    """

    title: str
    experiment: str
    prefix: str
    latents: dict[str, tuple[int, ...]]
    stops: dict[str, tuple[int, ...]]


MNIST = Panel(
    "MNIST", "aevb_figure2", "", {"cpu": (3, 10, 20), "full": (3, 5, 10, 20, 200)}, {"cpu": SHORT, "full": LONG}
)
FREY = Panel(
    "Frey faces",
    "aevb_figure2_frey",
    "frey_",
    {scale: (2, 5, 10, 20) for scale in ("cpu", "full")},
    {"cpu": SHORT[:-1], "full": LONG},
)


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    panels = [] if scale == "smoke" else [(MNIST, []), (FREY, frey_faces(desk))]
    losses = [_examples_loss(desk, seed) for seed in desk.seeds(EXAMPLES_SEEDS[scale])]
    found = {"examples_epoch_7": Measured(losses)}
    for panel, data in panels:
        curves = {dim: _curve(desk, panel, dim, scale, data) for dim in panel.latents[scale]}
        desk.figure(f"{panel.prefix}figure2", _figure(panel, curves))
        for dim, curve in curves.items():
            for seen, bounds in curve.items():
                for split, bound in zip(("train", "test"), bounds, strict=True):
                    desk.report[f"{panel.prefix}elbo/{dim}/{split}/{seen}"] = bound
        found |= {f"{panel.prefix}{name}": value for name, value in _claims(curves).items()}
    return {f"{name}_{scale}": value for name, value in found.items()}


def _claims(curves: dict[int, Curve]) -> dict[str, Measured]:
    """Compare the last test bounds of neighbouring numbers of latents, and training with test."""
    ends = {dim: list(curve.values())[-1] for dim, curve in curves.items()}
    pairs = itertools.pairwise(ends)
    gap = max(train - test for train, test in ends.values())
    rises = {f"elbo_{high}_over_{low}": Measured([ends[high][1] - ends[low][1]]) for low, high in pairs}
    return rises | {"largest_gap": Measured([gap])}


def _examples_loss(desk: Desk, seed: int) -> float:
    """Train the public recipe for seven epochs and return its test loss, nats."""
    trained = run_preset(desk, "aevb_figure2_examples", "pytorch examples", seed)
    return -_elbo(trained, "test")


def _curve(desk: Desk, panel: Panel, dim: int, scale: str, data: list[str]) -> Curve:
    label = f"{panel.title}, N_z={dim}" if panel.prefix else f"N_z={dim}"
    runs = legs(desk, panel.experiment, label, desk.seed, panel.stops[scale], [*data, f"prior.dim={dim}"])
    return {seen: (_elbo(trained, "train"), _elbo(trained, "test")) for seen, trained in runs}


def _elbo(trained: Trained, split: str) -> float:
    return trained.measured("elbo", split).scores["score/likelihood/elbo"].value


def _figure(panel: Panel, curves: dict[int, Curve]) -> Figure:
    figure = Figure(figsize=(3 * len(curves), 3.5))
    for axes, (dim, curve) in zip(figure.subplots(1, len(curves), sharey=True), curves.items(), strict=True):
        train, test = zip(*curve.values(), strict=True)
        axes.semilogx([*curve], train, "r--", label="AEVB (train)")
        axes.semilogx([*curve], test, "r-", label="AEVB (test)")
        axes.set(title=f"{panel.title}, $N_z$ = {dim}", xlabel="training samples evaluated")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("bound, nats")
    figure.axes[0].legend()
    return figure
