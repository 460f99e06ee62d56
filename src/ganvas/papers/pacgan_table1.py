r"""Lin, Khetan, Fanti and Oh 2018, Table 1: a discriminator that sees two points at once keeps the modes.

A sample is of high quality if it is within three standard deviations of a mode; a mode is covered if one of the 2,500
samples is of high quality there. A perfect model has a share of :math:`1 - e^{-9/2} = .9889` high-quality samples.

Reference: https://arxiv.org/abs/1712.04086, section 4.1 and Table 1; https://github.com/fjxmlzn/PacGAN
"""

from __future__ import annotations

import torch

from ganvas.config import build
from ganvas.metrics.modes import ModeCoverage, mode_coverage
from ganvas.papers.judgement import Measured
from ganvas.papers.planar import coverage_of, planar_samples, scattered
from ganvas.papers.program import Desk
from ganvas.papers.training import compose_preset, run_preset

DENSITIES = ("ring", "grid")
SEEDS = {"cpu": 2, "full": 5}
PACKS = {"gan": 1, "pacgan": 2}
"""Points that the discriminator sees at once, by model."""
BATCH = 100
UPDATES = {"cpu": 20_000, "full": 400_000}


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    for name in DENSITIES:
        real = _real(desk, name)
        found |= {f"{name}_ceiling": Measured([real.high_quality]), f"{name}_modes": Measured([float(real.covered)])}
    for model in PACKS:
        trained = run_preset(desk, "pacgan_table1_ring", model, desk.seed, _line(model, updates=500))
        desk.report[f"ring_modes/{model}_500_updates"] = float(coverage_of(trained, planar_samples(trained)).covered)
    return found


def _cpu(desk: Desk) -> dict[str, Measured]:
    return {f"{name}_cpu": measured for name, measured in _ring(_trained(desk, ("ring",), "cpu")).items()}


def _full(desk: Desk) -> dict[str, Measured]:
    return _ring(_trained(desk, DENSITIES, "full"))


def _ring(modes: dict[str, list[float]]) -> dict[str, Measured]:
    pairs = zip(modes["ring pacgan"], modes["ring gan"], strict=True)
    return {
        "ring_modes_pacgan": Measured(modes["ring pacgan"]),
        "ring_pacgan_minus_gan": Measured([pac - gan for pac, gan in pairs]),
    }


def _trained(desk: Desk, densities: tuple[str, ...], scale: str) -> dict[str, list[float]]:
    """Train both models on each density with each seed; returns the modes covered, by density and model."""
    modes: dict[str, list[float]] = {}
    shown = {}
    for name in densities:
        for model in PACKS:
            for seed in desk.seeds(SEEDS[scale]):
                label = f"{name} {model}"
                trained = run_preset(desk, f"pacgan_table1_{name}", label, seed, _line(model, UPDATES[scale]))
                shown[label] = planar_samples(trained)
                found = coverage_of(trained, shown[label])
                modes.setdefault(label, []).append(float(found.covered))
                desk.report[f"high_quality/{name}/{model}/{seed}"] = found.high_quality
                desk.report[f"reverse_kl/{name}/{model}/{seed}"] = found.reverse_kl
                desk.report[f"modes/{name}/{model}/{seed}"] = float(found.covered)
    desk.figure("samples", scattered(shown, len(shown)))
    return modes


def _line(model: str, updates: int) -> list[str]:
    """Overrides of a model: a batch has 100 packs, as in the authors' code, that is 200 points for packs of two."""
    batch = BATCH * PACKS[model]
    return [f"model={model}", f"batch_size={batch}", f"budget.images={batch * updates}"]


def _real(desk: Desk, name: str) -> ModeCoverage:
    """Coverage of the 100,000 training points themselves."""
    cfg, _ = compose_preset(desk, f"pacgan_table1_{name}", "real points", desk.seed)
    source = build(cfg.data)
    train = source.load("train")
    return mode_coverage(train.batch(torch.arange(len(train))), source.density.modes, source.density.sigma)
