r"""Metz, Poole, Pfau and Sohl-Dickstein 2017, Figure 2: looking ahead keeps the modes of eight Gaussians on a circle.

The generator minimises its loss against :math:`\theta_K(\theta_G)`, the critic's weights after :math:`K = 5` more
steps; without (:math:`K = 0`) it rotates among the modes.

Reference: https://arxiv.org/abs/1611.02163, section 3.1; https://github.com/poolio/unrolled_gan
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ganvas.config import build
from ganvas.models.unrolling import unrolled
from ganvas.papers.judgement import Measured
from ganvas.papers.planar import coverage_of, planar_samples, scattered
from ganvas.papers.program import Desk
from ganvas.papers.training import compose_preset, run_preset

PRESET = "unrolled_ring"
SEEDS, STEPS = 3, 5
ROWS = {"unrolled": STEPS, "plain": 0}
"""Steps ahead, by model."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    cfg, _ = compose_preset(desk, PRESET, "start", desk.seed)
    torch.manual_seed(desk.seed)
    model = build(cfg.model)
    real, fake = build(cfg.data).load("train").batch(torch.arange(512)), model.generator(model.prior.sample(512))
    twin = copy.deepcopy(model.critic)
    adams = [torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.999)) for critic in (model.critic, twin)]

    def loss(weights: dict[str, Tensor]) -> Tensor:
        judge = model.judge(None, weights)
        return model.objective.critic_terms(judge(real), judge(fake)).total

    before = copy.deepcopy((model.critic.state_dict(), adams[0].state_dict()))
    ahead = unrolled(model.critic, loss, adams[0], STEPS)
    for _ in range(STEPS):
        adams[1].zero_grad()
        model.objective.critic_terms(twin(real), twin(fake.detach())).total.backward()
        adams[1].step()
    away = [float(_distance(ahead[name], weight)) for name, weight in twin.named_parameters()]
    changed = sum(not torch.equal(value, before[0][name]) for name, value in model.critic.state_dict().items())
    short = run_preset(desk, PRESET, "unrolled", desk.seed, [f"model.unroll={STEPS}", "budget.images=51_200"])
    desk.report["modes/unrolled_100_updates"] = float(coverage_of(short, planar_samples(short)).covered)
    return {
        "step_ahead": Measured([max(away)]),
        "critic_put_back": Measured([float(changed + (adams[0].state_dict() != before[1]))]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    modes: dict[str, list[float]] = {label: [] for label in ROWS}
    shown = {}
    for seed in desk.seeds(SEEDS):
        for label, steps in ROWS.items():
            trained = run_preset(desk, PRESET, label, seed, [f"model.unroll={steps}"])
            shown[f"{label}, seed {seed}"] = planar_samples(trained)
            found = coverage_of(trained, shown[f"{label}, seed {seed}"])
            modes[label].append(float(found.covered))
            desk.report[f"high_quality/{label}/{seed}"] = found.high_quality
    desk.figure("samples", scattered(shown, len(ROWS), reach=1.5))
    gaps = [ahead - plain for ahead, plain in zip(modes["unrolled"], modes["plain"], strict=True)]
    return {
        "modes_unrolled": Measured(modes["unrolled"]),
        "modes_plain": Measured(modes["plain"]),
        "unrolled_minus_plain": Measured(gaps),
    }


@torch.no_grad()
def _distance(found: Tensor, expected: Tensor) -> Tensor:
    """Relative distance of two weights."""
    return (found - expected).norm() / expected.norm()
