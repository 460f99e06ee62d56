r"""Mescheder, Geiger and Nowozin 2018, sections 2 and 3: the Dirac-GAN, whose training can be followed on paper.

Data are the point 0, :math:`G(z) = \theta` and :math:`D(x) = \psi \cdot x`. The non-saturating losses give the field

.. math:: v(\theta, \psi) = \big(\sigma(-\psi \cdot \theta)\, \psi,\; -\sigma(\psi \cdot \theta)\, \theta
    - \gamma \psi \big),

with the weight :math:`\gamma` of R1. Its Jacobian at 0 has the eigenvalues
:math:`-\gamma / 2 \pm \sqrt{\gamma^2 / 4 - 1 / 4}`; instance noise of standard deviation :math:`s` acts as
:math:`\gamma = s^2 / 2`. Without a regulariser they are :math:`\pm i / 2`: training circles.

Reference: https://arxiv.org/abs/1801.04406
"""

from __future__ import annotations

import cmath
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.config import build
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import compose_preset, legs, run_preset
from ganvas.storage.checkpoints import LAST, read

PRESET = "dirac_gan"
RATE, UPDATES, BATCH, WEIGHT = 0.1, 5_000, 16, 0.3
R1 = ["constraint=r1", f"constraint.weight={WEIGHT}"]
NOISE = ["augment=instance_noise", "augment.p=1.0"]
DRAWS = 1_000_000
STEP = 1e-3
"""Of the central differences, whose error is its square."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    return {
        "eigenvalues_gan": Measured([_error(desk, [], 0.0, 1)]),
        "eigenvalues_r1": Measured([_error(desk, R1, WEIGHT, 1)]),
        "eigenvalues_noise": Measured([_error(desk, NOISE, 0.5, DRAWS)]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    runs = {
        "gan_simultaneous": ["model=gan", "model.simultaneous=true"],
        "gan_alternating": ["model=gan"],
        "r1_converges": ["model=gan", *R1],
        "noise_converges": ["model=gan", *NOISE],
    }
    ends, ratios = {}, {}
    for label, line in runs.items():
        start = _start(desk, line)
        ends[label] = _state(run_preset(desk, PRESET, label, desk.seed, [*_fixed(line)]).folder)
        ratios[label] = float(ends[label].norm() / start.norm())
    paths = {
        "gan_alternating": recursion(_start(desk, runs["gan_alternating"]), 0.0),
        "r1_converges": recursion(_start(desk, runs["r1_converges"]), WEIGHT),
    }
    away = max(float((ends[label] - path[-1]).norm()) for label, path in paths.items())
    desk.figure("paths", _drawn(paths))
    return {
        **{label: Measured([ratio]) for label, ratio in ratios.items()},
        "wgan_gp_stays_away": Measured([_wgan_gp(desk)]),
        "runs_follow_the_recursion": Measured([away]),
    }


def recursion(start: Tensor, weight: float) -> list[Tensor]:
    """Compute the alternating updates by the formula above, critic first.

    Args:
        start: generated point and critic, ``(2, d)``, float64.
        weight: of R1; 0 for none.

    Returns:
        Points and critics after 0, 1, ... updates.
    """
    path, (point, critic) = [start], start
    for _ in range(UPDATES):
        critic = critic - RATE * (torch.sigmoid(critic @ point) * point + weight * critic)
        point = point + RATE * torch.sigmoid(-critic @ point) * critic
        path.append(torch.stack([point, critic]))
    return path


def field(model: Any, point: Tensor, critic: Tensor, draws: int) -> Tensor:
    """Compute the negative gradients of the model's own losses, ``(2, d)``.

    Args:
        model: a GAN of :mod:`ganvas.networks.dirac`.
        point: the generated point.
        critic: weights of the critic.
        draws: number of examples of each kind.
    """
    with torch.no_grad():
        model.generator.point.copy_(point[:, None])
        model.critic.output.weight.copy_(critic[None])
    torch.manual_seed(0)
    judge, real, fake = model.judge(None), torch.zeros(draws, len(point)), model.generator(torch.zeros(draws, 1))
    loss = model.objective.critic_terms(judge(real), judge(fake.detach())).total
    penalty = model.constraint.penalty(judge, real, fake.detach())
    (up,) = torch.autograd.grad(loss if penalty is None else loss + penalty, model.critic.output.weight)
    (along,) = torch.autograd.grad(model.objective.generator_terms(judge(fake)).total, model.generator.point)
    return -torch.stack([along.squeeze(1), up.squeeze(0)])


def _error(desk: Desk, line: list[str], weight: float, draws: int) -> float:
    """Largest distance of the measured eigenvalues from those on paper, in one dimension of point and critic."""
    model, root = _model(desk, ["model=gan", *line]), cmath.sqrt(weight**2 / 4 - 0.25)
    columns = []
    for i in range(2):
        ahead, back = (torch.zeros(2, 2) for _ in range(2))
        ahead[i, 0], back[i, 0] = STEP, -STEP
        difference = field(model, ahead[0], ahead[1], draws) - field(model, back[0], back[1], draws)
        columns.append(difference[:, 0].double() / (2 * STEP))
    found = sorted(torch.linalg.eigvals(torch.stack(columns, dim=1)).tolist(), key=lambda value: value.imag)
    return max(abs(a - b) for a, b in zip(found, (-weight / 2 - root, -weight / 2 + root), strict=True))


def _wgan_gp(desk: Desk) -> float:
    """Mean distance of the point from the data at eleven of the last 500 updates, over that at the start."""
    line = _fixed(["model=wgan_gp", "model.n_critic=1"])
    start = _start(desk, line)[0].norm()
    budgets = [BATCH * (UPDATES - 500 + 50 * i) for i in range(11)]
    ends = [_state(run.folder)[0].norm() for _, run in legs(desk, PRESET, "wgan_gp", desk.seed, budgets, line)]
    return float(torch.stack(ends).mean() / start)


def _fixed(line: list[str]) -> list[str]:
    """Overrides of a run: what a model's own config sets is that of the preset again."""
    return [*line, "network=dirac", "optimizer=sgd", f"optimizer.lr={RATE}"]


def _model(desk: Desk, line: list[str]) -> Any:
    cfg, _ = compose_preset(desk, PRESET, "start", desk.seed, _fixed(line))
    torch.manual_seed(desk.seed)
    return build(cfg.model)


def _start(desk: Desk, line: list[str]) -> Tensor:
    """Point and critic before training, float64."""
    return _of(_model(desk, line).state_dict())


def _state(folder: Any) -> Tensor:
    return _of(read(folder / LAST)["state_dict"])


def _of(state: Any) -> Tensor:
    return torch.stack([state["generator.point"].squeeze(1), state["critic.output.weight"].squeeze(0)]).double()


def _drawn(paths: dict[str, list[Tensor]]) -> Figure:
    figure = Figure(figsize=(4 * len(paths), 4), layout="constrained")
    for axes, (label, path) in zip(figure.subplots(1, len(paths)), paths.items(), strict=True):
        states = torch.stack(path)
        axes.plot(states[:, 0, 0], states[:, 1, 0], linewidth=0.5)
        axes.set(title=label, xlabel="generated point, first coordinate", ylabel="critic, first coordinate")
    return figure
