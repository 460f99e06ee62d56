r"""Stacked MNIST: how many of 1000 modes a GAN keeps, by packing, and by a relativistic loss with two penalties.

26,000 samples are classified digit by digit; a mode is covered if one of them has its three digits. The divergence of
the modes' shares from the uniform is 0.0193 ± 0.0009 nats for a perfect model (:mod:`ganvas.metrics.stacked_modes`).

Lin et al. 2018, Table 2: a discriminator of packs of two keeps 1000 modes, that of a DCGAN 79. Huang et al. 2024: the
relativistic loss with R1 and R2 keeps all modes, and the usual loss with both penalties does not.

Reference: https://arxiv.org/abs/1712.04086, section 4.2; https://github.com/fjxmlzn/PacGAN; R3GAN:
https://arxiv.org/abs/2501.05441, section 2
"""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from ganvas.config import build
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.stacked_modes import DIGITS, StackedModes, read_digits, stacked_modes
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, compose_preset, run_preset
from ganvas.types import to_uint8

PRESET = "stacked_mnist"
SAMPLES, SEEDS = 26_000, 3
PENALTIES = ["constraint=r1_r2", "constraint.parts.r1.weight=1.0", "constraint.parts.r2.weight=1.0"]
SMOOTH = [*PENALTIES, "network.critic.batch_norm=false"]
MODELS = {
    "gan": ["model=gan"],
    "pacgan": ["model=pacgan"],
    "gan_r1_r2": ["model=gan", *SMOOTH],
    "rpgan_r1_r2": ["model=gan", "objective=relativistic", *SMOOTH],
}
"""Overrides of each model."""
NARROW = ["network.generator.channels=[128,64,32,16]", "network.critic.channels=[16,32,64,128]"]
"""A quarter of the channels."""
CPU_IMAGES, UPDATES, PACK = 256_000, 100_000, 64
"""Images of each training at scale ``cpu``; generator updates at scale ``full``; packs in a batch."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    small = ["data@data.digits=mnist5k", "data.train=2_000", "data.test=5_000"]
    cfg, _ = compose_preset(desk, PRESET, "real images", desk.seed, small)
    source = build(cfg.data)
    test = source.load("test")
    images = test.batch(torch.arange(len(test)))
    truth = torch.stack([test.labels // 100, test.labels // 10 % 10, test.labels % 10], 1)
    read, one = _digits(images), _digits(images[:1].expand(1_000, -1, -1, -1))
    for name, line in MODELS.items():
        run_preset(desk, PRESET, name, desk.seed, [*line, *NARROW, *small, "batch_size=32", "budget.images=640"])
    return {
        "digits_read": Measured([float((read == truth).double().mean())]),
        "modes_lost": Measured([float(stacked_modes(truth, DIGITS).covered - stacked_modes(read, DIGITS).covered)]),
        "modes_of_one_image": Measured([float(stacked_modes(one, DIGITS).covered)]),
        "kl_of_one_image": Measured([stacked_modes(one, DIGITS).kl]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    names = ("gan", "gan_r1_r2", "rpgan_r1_r2")
    found = {name: [_row(desk, name, seed, CPU_IMAGES, NARROW) for seed in desk.seeds(SEEDS)] for name in names}
    desk.figure("modes", _bars(found))
    ours, usual, plain = found["rpgan_r1_r2"], found["gan_r1_r2"], found["gan"]
    return {
        "rpgan_minus_gan_cpu": _gap(ours, plain),
        "rpgan_minus_penalised_cpu": _gap(ours, usual),
        "kl_rpgan_minus_gan_cpu": Measured([a.kl - b.kl for a, b in zip(ours, plain, strict=True)]),
    }


def _full(desk: Desk) -> dict[str, Measured]:
    found: dict[str, list[StackedModes]] = {}
    for name in MODELS:
        packs = 2 if name == "pacgan" else 1
        line = [f"batch_size={PACK * packs}"]
        rows = [_row(desk, name, seed, PACK * packs * UPDATES, line) for seed in desk.seeds(SEEDS)]
        found[name] = rows
    desk.figure("modes", _bars(found))
    modes = {f"modes_{name}": Measured([float(row.covered) for row in rows]) for name, rows in found.items()}
    return modes | {
        "kl_pacgan": Measured([row.kl for row in found["pacgan"]]),
        "pacgan_minus_gan": _gap(found["pacgan"], found["gan"]),
        "rpgan_minus_gan_full": _gap(found["rpgan_r1_r2"], found["gan"]),
        "rpgan_minus_penalised_full": _gap(found["rpgan_r1_r2"], found["gan_r1_r2"]),
    }


def _row(desk: Desk, name: str, seed: int, images: int, line: list[str]) -> StackedModes:
    """Train a model and count its modes."""
    trained = run_preset(desk, PRESET, name, seed, [*MODELS[name], *line, f"budget.images={images}"])
    found = _modes(trained)
    desk.report.update({f"modes/{name}/{seed}": float(found.covered), f"kl/{name}/{seed}": found.kl})
    if seed == desk.seed:
        desk.samples(f"samples_{name}", trained.subject.model.sample(50, seed=0).cpu())
    return found


def _modes(trained: Trained) -> StackedModes:
    return stacked_modes(_digits(to_uint8(trained.subject.model.sample(SAMPLES, seed=0).cpu())), DIGITS)


def _digits(images: torch.Tensor) -> torch.Tensor:
    return read_digits(images, MnistExtractor())


def _gap(ours: list[StackedModes], other: list[StackedModes]) -> Measured:
    """Difference in modes, paired by seed."""
    return Measured([float(a.covered - b.covered) for a, b in zip(ours, other, strict=True)])


def _bars(found: dict[str, list[StackedModes]]) -> Figure:
    figure = Figure(figsize=(1.4 * len(found) + 1, 4))
    axes = figure.subplots()
    for i, rows in enumerate(found.values()):
        axes.plot([i] * len(rows), [row.covered for row in rows], "o")
    axes.set(ylabel="modes of 1000", xticks=range(len(found)), xticklabels=list(found), ylim=(0, 1050))
    return figure
