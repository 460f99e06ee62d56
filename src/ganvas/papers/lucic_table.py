r"""Lucic, Kurach, Michalski, Gelly and Bousquet 2018: equal budgets for all models, then fresh seeds of the best.

For each model, some configurations of the narrow search are trained once. The configuration with the best distance on
the validation split is trained again with fresh seeds, whose distances on the test split are reported. At scale ``cpu``
the Fréchet distance is on ganvas's MNIST extractor (fd, not FID), and the claim is the order of the models.

Reference: https://arxiv.org/abs/1711.10337, sections 5 and 6, appendix A; https://github.com/google/compare_gan
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from ganvas.config import build
from ganvas.extractors.features import Features, extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.frechet import moments_distance
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, compose_preset, run_preset
from ganvas.scoring.worst import uniform_noise

BATCH = 250
Draw = Callable[[np.random.RandomState], dict[str, float]]


def _log(key: str, low: float, high: float) -> Draw:
    """Draw the value of a key from a log-uniform distribution; the ends are logarithms to base 10."""
    return lambda random: {key: float(10 ** random.uniform(low, high))}


RATE = _log("optimizer.lr", -4.0, -3.0)
GAN = ["prior=uniform", "optimizer=adam", "model.n_critic=1"]
MODELS: dict[str, tuple[list[str], tuple[Draw, ...]]] = {
    "mm_gan": (["model=gan_minimax", *GAN], (RATE,)),
    "ns_gan": (["model=gan", *GAN], (RATE,)),
    "lsgan": (["model=lsgan", *GAN], (RATE,)),
    "wgan": (["model=wgan", *GAN], (RATE, _log("constraint.bound", -2.0, 0.0))),
    "wgan_gp": (["model=wgan_gp", *GAN], (RATE, _log("constraint.weight", -1.0, 1.0))),
    "vae": (["model=vae", "transform=none"], (RATE,)),
}
"""Overrides of each model, and the draws of the narrow search for it; a VAE's latents are Gaussian."""


@dataclass(frozen=True)
class Search:
    """Size of the search.

    Args:
        draws: number of configurations of each model.
        seeds: number of fresh seeds of the best configuration.
        images: budget of each training, images.
        extractor: name of the extractor of the distance.
    """

    draws: int
    seeds: int
    images: int
    extractor: str

    @property
    def metric(self) -> str:
        """The metric's name without its phase prefix, as in ``mnist/fd``."""
        return f"{self.extractor}/{'fid' if self.extractor == 'inception' else 'fd'}"


CPU = Search(draws=2, seeds=3, images=60_000, extractor="mnist")
FULL = Search(draws=20, seeds=5, images=1_000_000, extractor="inception")


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    for name, (line, draws) in MODELS.items():
        short = ["data=mnist5k", "budget.images=1_280", "score.n=500", "score.every=null"]
        trained = run_preset(desk, "lucic_table", name, desk.seed, [*line, *drawn(draws, desk.seed), *short])
        desk.report[f"fd/{name}_20_updates"] = trained.score("score/mnist/fd")
    floor, ceiling = _calibration(desk)
    return {"floor": Measured([floor]), "noise": Measured([ceiling])}


def _cpu(desk: Desk) -> dict[str, Measured]:
    found = {name: searched(desk, name, CPU) for name in ("ns_gan", "wgan", "wgan_gp", "vae")}
    desk.figure("distances", _boxes(found, CPU.metric))
    for name, values in found.items():
        desk.report.update({f"fd/{name}/{i}": value for i, value in enumerate(values)})
    return _vae_is_worse(found)


def _full(desk: Desk) -> dict[str, Measured]:
    measured: dict[str, Measured] = {}
    for data in ("mnist", "fashion_mnist"):
        found = {name: searched(desk, name, FULL, data) for name in MODELS}
        desk.figure(f"distances_{data}", _boxes(found, FULL.metric))
        measured |= {f"{data}_{name}": Measured(values) for name, values in found.items()}
        measured |= {f"{data}_{name}": value for name, value in _vae_is_worse(found).items()}
    return measured


def _vae_is_worse(found: dict[str, list[float]]) -> dict[str, Measured]:
    """Difference of the VAE's distances from the mean distance of two other models; seeds are not paired."""
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return {f"vae_over_{name}": Measured([v - means[name] for v in found["vae"]]) for name in ("ns_gan", "wgan")}


def searched(desk: Desk, name: str, search: Search, data: str = "mnist") -> list[float]:
    """Search a model's best configuration and measure its distances with fresh seeds.

    Args:
        desk: desk of the program.
        name: key of :data:`MODELS`.
        search: size of the search.
        data: option of the config group ``data``.
    """
    line, draws = MODELS[name]
    common = [*line, f"data={data}", f"extractor={search.extractor}", f"budget.images={search.images}"]
    tried = [drawn(draws, desk.seed + i) for i in range(search.draws)]
    first = [
        run_preset(desk, "lucic_table", f"{data} {name} {i}", desk.seed, [*common, *values])
        for i, values in enumerate(tried)
    ]
    best = tried[int(np.argmin([_selection(trained, search) for trained in first]))]
    seeds = range(desk.seed + 1, desk.seed + 1 + search.seeds)  # without the seed that chose the configuration
    again = [run_preset(desk, "lucic_table", f"{data} {name} best", seed, [*common, *best]) for seed in seeds]
    return [trained.score(f"score/{search.metric}") for trained in again]


def drawn(draws: tuple[Draw, ...], seed: int) -> list[str]:
    """Draw one configuration of the narrow search, as overrides."""
    random = np.random.RandomState(seed)
    values = itertools.chain.from_iterable(draw(random).items() for draw in draws)
    return [f"{key}={value:.6g}" for key, value in values]


def _selection(trained: Trained, search: Search) -> float:
    """Last distance in training, on the validation split."""
    return trained.course(f"val/{search.metric}")[1][-1]


def _calibration(desk: Desk) -> tuple[float, float]:
    """Distance of 10,000 training digits, and of 10,000 images of noise, from the 10,000 test digits."""
    source = build(compose_preset(desk, "lucic_table", "real digits", desk.seed)[0].data)
    train, test = source.load("train"), source.load("test")
    extractor = MnistExtractor()

    def features(images: torch.Tensor) -> Features:
        return extract(extractor, images, BATCH)

    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(desk.seed))[: len(test)]
    held_out = moments_of(features(test.batch(torch.arange(len(test)))))
    others = (train.batch(order), uniform_noise(len(test), (1, 28, 28), desk.seed))
    floor, noise = (moments_distance(held_out, moments_of(features(images))) for images in others)
    return floor, noise


def _boxes(found: dict[str, list[float]], metric: str) -> Figure:
    figure = Figure(figsize=(1.2 * len(found) + 1, 4))
    axes = figure.subplots()
    for i, values in enumerate(found.values()):
        axes.plot([i] * len(values), values, "o")
    axes.set(ylabel=metric, xticks=range(len(found)), xticklabels=list(found))
    return figure
