r"""Gulrajani et al. 2017 and Miyato et al. 2018 on CIFAR-10: residual networks with a penalty and with spectral norm.

The papers' numbers (Inception Score, FID) need CIFAR-10, the 2015 Inception and a GPU, at scale ``full``. Scale
``smoke`` trains small networks on synthetic images and checks the two constraints:
:math:`\lVert \nabla f \rVert \approx 1`, and :math:`\sigma(W / \sigma(W)) = 1` for every layer.

Reference: https://arxiv.org/abs/1704.00028, appendix F; https://arxiv.org/abs/1802.05957, Table 2 and appendix B
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ganvas.objectives.constraints.spectral_norm import has_spectral_norm
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset

PAPERS = ("wgan_gp", "sngan")
SMALL = [
    "network.generator.channels=16",
    "network.critic.channels=16",
    "batch_size=16",
    "optimizer.lr=1e-3",
    "budget.images=3_200",
    "extractor=none",
]
SEEDS = 3


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    path = desk.folder / "images.npz"
    np.savez(path, images=made_images(512, desk.seed))
    line = ["data=npz", f"data.path='{path.absolute()}'", *SMALL]
    own: dict[str, list[str]] = {"wgan_gp": ["constraint.weight=100"], "sngan": []}
    found = {name: run_preset(desk, f"cifar10_resnet_{name}", name, desk.seed, line + own[name]) for name in PAPERS}
    return {
        "gradient_norm": Measured([_gradient_norm(found["wgan_gp"])]),
        "largest_singular_value": Measured([max(_singular_values(found["sngan"]))]),
        "smallest_singular_value": Measured([min(_singular_values(found["sngan"]))]),
    }


def _full(desk: Desk) -> dict[str, Measured]:
    scores: dict[str, list[float]] = {}
    for name in PAPERS:
        for seed in desk.seeds(SEEDS):
            trained = run_preset(desk, f"cifar10_resnet_{name}", name, seed, ["score.n=50_000"])
            for metric in ("is", "fid"):
                scores.setdefault(f"{name}_{metric}", []).append(trained.score(f"score/inception/{metric}"))
    return {name: Measured(values) for name, values in scores.items()}


def made_images(n: int, seed: int) -> np.ndarray:
    """Make ``n`` colour gradients of random direction, ``uint8 (n, 32, 32, 3)``: images of CIFAR-10's shape."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    slopes, level = random.uniform(-60, 60, (2, n, 1, 1, 3)), random.uniform(80, 170, (n, 1, 1, 3))
    images = level + slopes[0] * x[None, :, :, None] + slopes[1] * y[None, :, :, None]
    return images.clip(0, 255).astype(np.uint8)


def _gradient_norm(trained: Trained) -> float:
    """Mean norm of the critic's gradient at points between real and generated images, as the penalty draws them."""
    model, data = trained.subject.model, trained.subject.data
    real = next(data.held_out("train", 256, 256)).x.to(model.device)
    fake = model.sample(len(real), seed=0)
    torch.manual_seed(0)
    found = model.constraint.input_gradients(model.critic, real, fake)  # type: ignore[operator,union-attr]
    return float(found.norms.mean())


def _singular_values(trained: Trained) -> list[float]:
    """Largest singular value of each normalised layer of the critic, its weight as a matrix of outputs by inputs."""
    layers = [
        m for m in trained.subject.model.get_submodule("critic").modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    weights = [layer.weight.detach().flatten(1) for layer in layers if has_spectral_norm(layer)]
    return [float(torch.linalg.matrix_norm(weight, 2)) for weight in weights]
