r"""Chen et al. 2018, section 6: a weight on the total correlation alone disentangles more than one on the whole KL.

.. math:: \mathbb{E}_x \mathrm{KL}(q(z \mid x) \,\|\, p(z)) = I(z; x)
    + \mathrm{KL}\big(q(z) \,\|\, \textstyle\prod_j q(z_j)\big) + \sum_j \mathrm{KL}(q(z_j) \,\|\, p(z_j))

The beta-VAE weighs all three terms by :math:`\beta`, beta-TC the second one, the total correlation. Both are trained on
the same sprites with the same seeds, and scored by their known factors.

Reference: https://arxiv.org/abs/1802.04942, equations 2, 4 and 6; https://github.com/rtqichen/beta-tcvae
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.config import build
from ganvas.data.source import Source
from ganvas.metrics.factors import Codes
from ganvas.metrics.mig import mig
from ganvas.metrics.registry import settings_of
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, compose_preset, run_preset
from ganvas.scoring.asked import Asked
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import own_reference

PRESET = "beta_tc"
SEEDS, STEPS, REACH, NOISE_LATENTS = 5, 10, 2.0, 10
MODELS = {"beta_vae": "objective=beta_elbo", "beta_tc": "objective=beta_tc"}
SCORES = {"mig": "score/factors/mig", "dci": "score/factors/dci_disentanglement", "elbo": "score/likelihood/elbo"}
"""Key of the score behind each claim, whose metrics have the claims' names."""
CPU = ["objective.beta=4.0"]
FULL = [
    "objective.beta=6.0",
    *(f"data.{word}" for word in ("size=64", "scales=6", "rotations=40", "xs=32", "ys=32", "test=10_000")),
    "network.encoder.hidden=[1200,1200]",
    "network.decoder.hidden=[1200,1200,1200]",
    "network.decoder.activation=Tanh",
    "batch_size=2048",
    "budget.images=36_864_000",
]
"""The authors' networks, batches and budget: 50 epochs of 737,280 images."""
SHORT = ["budget.images=2_560", "score.n=100"]


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    source: Source = build(compose_preset(desk, PRESET, "factors", desk.seed)[0].data)
    splits = {split: source.load(split) for split in source.splits}
    known = themselves(source)
    bins = settings_of({})["factors.bins"]
    noise = np.random.RandomState(desk.seed).standard_normal((len(known), NOISE_LATENTS))
    for model, objective in MODELS.items():
        trained = run_preset(desk, PRESET, model, desk.seed, [objective, *CPU, *SHORT])
        desk.report[f"mig/{model}_20_updates"] = trained.measured("mig", "test").values()[SCORES["mig"]]
    return {
        "images": Measured([float(sum(map(len, splits.values())))]),
        "floor": Measured([mig(known, bins).scores["mig"]]),
        "turned": Measured([mig(known.with_codes(turned(known.codes)), bins).scores["mig"]]),
        "noise": Measured([mig(known.with_codes(noise), bins).scores["mig"]]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    return _compared(desk, "cpu", CPU)


def _full(desk: Desk) -> dict[str, Measured]:
    return _compared(desk, "full", FULL)


def _compared(desk: Desk, scale: str, overrides: list[str]) -> dict[str, Measured]:
    found: dict[str, dict[str, list[float]]] = {name: {model: [] for model in MODELS} for name in SCORES}
    for seed in desk.seeds(SEEDS):
        for model, objective in MODELS.items():
            trained = run_preset(desk, PRESET, model, seed, [objective, *overrides])
            for name, key in SCORES.items():
                value = trained.measured(name, "test").values()[key]
                found[name][model].append(value)
                desk.report[f"{name}/{model}/{seed}"] = value
            if seed == desk.seed:
                desk.samples(f"traversals_{model}", traversals(trained))
    desk.figure("scores", _points(found))
    return {f"{name}_{scale}": Measured(list(_gaps(by_model))) for name, by_model in found.items()}


def _gaps(by_model: dict[str, list[float]]) -> Iterator[float]:
    return (tc - plain for tc, plain in zip(by_model["beta_tc"], by_model["beta_vae"], strict=True))


def themselves(source: Source) -> Codes:
    """Take the factors of the test split for codes."""
    values = source.load("test").factors
    assert values is not None and source.factors is not None
    codes = values.double().numpy()
    return Codes(codes, np.zeros_like(codes), values.numpy(), source.factors)


def turned(codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Turn the plane of the last two latents by an eighth of a circle about their means."""
    centred = codes - codes.mean(0)
    a, b = centred[:, -2], centred[:, -1]
    return np.column_stack([centred[:, :-2], (a - b) * math.sqrt(0.5), (a + b) * math.sqrt(0.5)])


def traversals(trained: Trained) -> Float[Tensor, "n c h w"]:
    """Move, for each factor in a row, the latent that says most about it, with the others as a test image has them.

    Args:
        trained: a finished training.

    Returns:
        Images in [-1, 1], ten steps from -2 to 2 for each factor.
    """
    subject = trained.subject
    gathered = Gathered(subject, own_reference(subject), None, Asked(settings_of({}), n=0, seed=0), None)
    known = gathered.codes("mig")
    best = mig(known, gathered.settings["factors.bins"]).matrix.argmax(0)
    z = torch.from_numpy(known.codes[0]).float().repeat(len(best), STEPS, 1)
    for row, latent in enumerate(best.tolist()):
        z[row, :, latent] = torch.linspace(-REACH, REACH, STEPS)
    return subject.decoded(z.flatten(0, 1).to(subject.model.device))


def _points(found: dict[str, dict[str, list[float]]]) -> Figure:
    """Plot the scores of both models, with a line for each seed."""
    figure = Figure(figsize=(3 * len(found), 3.5))
    for axes, (name, by_model) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        for pair in zip(*by_model.values(), strict=True):
            axes.plot(list(by_model), pair, "o-", color="C0", alpha=0.6)
        axes.set(title=name)
        axes.margins(x=0.3)
    figure.tight_layout()
    return figure
