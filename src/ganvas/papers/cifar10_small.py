r"""CIFAR-10 on a CPU: DCGAN, SNGAN, WGAN-GP, RpGAN+R1+R2 and projection GAN, the same networks and the same time.

All five are scored by the embedded classifier (``extractor=cifar10``): Fréchet distance (fd, not FID), Inception Score,
kernel distance, precision, recall, density, coverage, and the memorisation audit. The claims are orders that the papers
find. A projection critic knows the class by

.. math:: D(x, y) - D(x, y') = (v_y - v_{y'}) \cdot h(x).

Reference: Miyato et al. 2018, Table 2, https://arxiv.org/abs/1802.05957; Miyato & Koyama 2018, eq. 3 and section 5,
https://arxiv.org/abs/1802.05637; Huang et al. 2024, https://arxiv.org/abs/2501.05441
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from matplotlib.figure import Figure

from ganvas.networks import ProjectionCritic
from ganvas.papers.cifar10 import cifar10
from ganvas.papers.cifar10_resnet import made_images
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset
from ganvas.types import Judged

PRESET = "cifar10_small"
CLASSES, SAMPLES, SEEDS = 10, 10_000, 3
METRICS = ["fd", "is", "kid", "prdc", "memorisation"]
MODELS = {
    "dcgan": ["model=gan", "network.critic.batch_norm=true"],
    "sngan": ["model=sngan"],
    "wgan_gp": ["model=wgan_gp"],
    "rpgan_r1_r2": [
        *("model=gan", "objective=relativistic", "constraint=r1_r2"),
        *("constraint.parts.r1.weight=1.0", "constraint.parts.r2.weight=1.0"),
    ],
    "projection_gan": ["model=projection_gan"],
}
"""Overrides of each model."""
CPU_IMAGES = {
    "dcgan": 760_000,
    "sngan": 720_000,
    "wgan_gp": 580_000,
    "rpgan_r1_r2": 320_000,
    "projection_gan": 720_000,
}
"""Images that each model sees in about 20 minutes of one core, at 630, 590, 470, 260 and 580 images a second."""
FULL_IMAGES = 6_400_000
"""100,000 critic updates, as in Miyato et al. 2018, Table 2, for every model."""
SMALL = ["network.generator.channels=[16,16,16]", "network.critic.channels=[16,16,16]", "batch_size=16"]


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    path = desk.folder / "images.npz"
    np.savez(path, images=made_images(512, desk.seed), labels=np.arange(512) % CLASSES)
    short = ["data=npz", f"data.path='{path.absolute()}'", "data.test=128", "budget.images=320", "score.n=128"]
    found = {name: run_preset(desk, PRESET, name, desk.seed, [*line, *SMALL, *short]) for name, line in MODELS.items()}
    for name, trained in found.items():
        desk.report[f"fd/{name}_20_updates"] = trained.score("score/cifar10/fd")
    norms = _singular_values(found["projection_gan"])
    return {
        "projection": Measured([_projection_error(found["projection_gan"])]),
        "largest_singular_value": Measured([max(norms)]),
        "asked_classes": Measured([_classes_apart(found["projection_gan"])]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    found = {name: [_scored(desk, name, desk.seed, CPU_IMAGES[name])] for name in MODELS}
    return _orders(desk, found, "cpu")


def _full(desk: Desk) -> dict[str, Measured]:
    found = {name: [_scored(desk, name, seed, FULL_IMAGES) for seed in desk.seeds(SEEDS)] for name in MODELS}
    return _orders(desk, found, "full")


def _scored(desk: Desk, name: str, seed: int, images: int) -> dict[str, float]:
    """Train a model and measure its scores, by their names without the extractor."""
    line = [*MODELS[name], *cifar10(desk), "extractor=cifar10", f"budget.images={images}"]
    trained = run_preset(desk, PRESET, name, seed, line)
    found = trained.add_scores(METRICS, SAMPLES, calibration=True)
    if seed == desk.seed:
        _show(desk, name, trained)
    for what, values in {"": found.values(), "floor/": found.floor, "ceiling/": found.ceiling}.items():
        desk.report.update({f"{what}{key.rpartition('/')[2]}/{name}/{seed}": value for key, value in values.items()})
    floor, ceiling = (side["score/cifar10/fd"] for side in (found.floor, found.ceiling))
    scores = {key.rpartition("/")[2]: value for key, value in found.values().items()}
    return {**scores, "floor": floor, "ceiling": ceiling}


def _show(desk: Desk, name: str, trained: Trained) -> None:
    """Save a grid of samples; that of a conditional model has a row for each class."""
    y = torch.arange(CLASSES).repeat_interleave(10) if trained.subject.model.classes is not None else None
    desk.samples(f"samples_{name}", trained.subject.model.sample(10 * CLASSES, seed=0, y=y).cpu())


def _orders(desk: Desk, found: dict[str, list[dict[str, float]]], scale: str) -> dict[str, Measured]:
    desk.figure("scores", _bars(found))

    def gap(better: str, worse: str) -> Measured:
        return Measured([a["fd"] - b["fd"] for a, b in zip(found[better], found[worse], strict=True)])

    rows = [row for rows in found.values() for row in rows]
    return {
        f"projection_minus_sngan_{scale}": gap("projection_gan", "sngan"),
        f"sngan_minus_wgan_gp_{scale}": gap("sngan", "wgan_gp"),
        f"sngan_minus_dcgan_{scale}": gap("sngan", "dcgan"),
        f"above_floor_{scale}": Measured([min(row["fd"] - row["floor"] for row in rows)]),
        f"below_ceiling_{scale}": Measured([max(row["fd"] / row["ceiling"] for row in rows)]),
    }


def _projection_error(trained: Trained) -> float:
    """Largest error of eq. 3 over images and classes, of a trained projection critic."""
    critic, x = _critic(trained), trained.subject.data.some("train", 64).x.to(trained.subject.model.device)

    def of(y: int) -> Judged:
        return critic.read(x, torch.full((len(x),), y, device=x.device))

    with torch.no_grad():
        first, v = of(0), critic.embedding(torch.arange(CLASSES, device=x.device))
        assert first.features is not None
        errors = [of(y).scores - first.scores - first.features @ (v[y] - v[0]) for y in range(CLASSES)]
    return float(torch.cat(errors).abs().max())


def _singular_values(trained: Trained) -> list[float]:
    """Largest singular values of the critic's embedding of classes and of its last layer."""
    critic = _critic(trained)
    return [float(torch.linalg.matrix_norm(w.detach(), 2)) for w in (critic.embedding.weight, critic.output.weight)]


def _critic(trained: Trained) -> ProjectionCritic:
    return cast(ProjectionCritic, trained.subject.model.eval().get_submodule("critic"))


def _classes_apart(trained: Trained) -> float:
    """Largest difference between images of one latent and two classes: 0 for a generator that ignores the class."""
    model = trained.subject.model
    a, b = (model.sample(8, seed=0, y=torch.full((8,), y)) for y in (0, 1))
    return float((a - b).abs().max())


def _bars(found: dict[str, list[dict[str, float]]]) -> Figure:
    names = ("fd", "is", "kid", "precision", "recall", "coverage", "memorisation_close")
    figure = Figure(figsize=(2.6 * len(names), 3.2))
    for axes, metric in zip(figure.subplots(1, len(names)), names, strict=True):
        for i, rows in enumerate(found.values()):
            axes.plot([i] * len(rows), [row[metric] for row in rows], "o")
        axes.set(title=metric, xticks=range(len(found)))
        axes.set_xticklabels(list(found), rotation=60, ha="right", fontsize="small")
    figure.tight_layout()
    return figure
