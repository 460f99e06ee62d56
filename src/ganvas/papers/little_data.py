r"""Zhao et al. 2020 in small: 500 training images, what helps a critic not to learn them by heart, and copies.

Every method is measured twice: by the Fréchet distance of its samples from held-out images, and by the memorisation
audit (:mod:`ganvas.metrics.memorisation`), whose share of close samples is .01 for new real images and 1 for copies:

.. math:: \frac1m \#\{x : \min_t \lVert f(x) - f(t) \rVert \le \tau\}.

The claim is DiffAugment's: a better distance than without augmentation. The question is whether a better distance comes
with more copies; its answer is the rank correlation of both over methods.

Reference: Zhao et al. 2020, https://arxiv.org/abs/2006.10738 (DiffAugment); Karras et al. 2020,
https://arxiv.org/abs/2006.06676 (ADA); Zhao et al. 2021, https://arxiv.org/abs/2002.04724 (bCR); Tseng et al. 2021,
https://arxiv.org/abs/2104.03310 (LeCam); Mescheder et al. 2018, https://arxiv.org/abs/1801.04406 (R1)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from ganvas.config import build
from ganvas.extractors.features import Features, extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.memorisation import audit
from ganvas.papers.cifar10 import cifar10
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import compose_preset, run_preset

PRESET = "little_data"
SEEDS, SAMPLES, BATCH, QUANTILE = 3, 5_000, 250, 0.01
METHODS = {
    "none": ["augment=none"],
    "flip": ["augment=flip"],
    "diffaugment": ["augment=diffaugment"],
    "ada": ["augment=ada", "augment.images=8_000"],
    "bcr": ["constraint=bcr"],
    "lecam": ["constraint=lecam"],
    "r1": ["constraint=r1"],
}
"""Overrides of each method; ADA's probability can rise from 0 to 1 in a quarter of the budget."""
DIGITS = {"bcr": ["~constraint.transforms.flip"]}
"""What differs for digits, whose mirror images are no digits."""


@dataclass(frozen=True)
class Task:
    """A data set of which 500 images are used.

    Args:
        name: name in the results.
        extractor: name of the extractor.
        data: overrides that choose the data.
        own: further overrides, by method.
    """

    name: str
    extractor: str
    data: list[str]
    own: dict[str, list[str]]


@dataclass(frozen=True)
class Outcome:
    """What one training gave.

    Args:
        fd: Fréchet distance from held-out images.
        close: share of samples that are close to a training image.
        authentic: share of samples that are further from their training image than that is from its neighbour.
    """

    fd: float
    close: float
    authentic: float


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    data = ["data@data.source=mnist5k"]
    train, test = _features(desk, data)
    copies = audit(train, test, train, quantile=QUANTILE, pairs=0)
    new = audit(train, test[::2], test[1::2], quantile=QUANTILE, pairs=0)
    for method, line in METHODS.items():
        short = [*data, "budget.images=320", "score.n=200"]
        trained = run_preset(desk, PRESET, method, desk.seed, [*line, *DIGITS.get(method, []), *short])
        desk.report[f"fd/{method}_10_updates"] = trained.score("score/mnist/fd")
    return {
        "training_images": Measured([float(len(train))]),
        "copies_close": Measured([copies.close.fake]),
        "copies_authentic": Measured([copies.authentic.fake]),
        "new_close": Measured([new.close.fake]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    return _judged(desk, "cpu", [])


def _full(desk: Desk) -> dict[str, Measured]:
    return _judged(desk, "full", ["budget.images=2_000_000"])


def _judged(desk: Desk, scale: str, budget: list[str]) -> dict[str, Measured]:
    tasks = (
        Task("digits", "mnist", ["data@data.source=mnist"], DIGITS),
        Task("colour", "cifar10", [*cifar10(desk, "data.source"), "extractor=cifar10"], {}),
    )
    found = {task.name: _outcomes(desk, task, budget) for task in tasks}
    desk.figure("fd_and_copies", _scatter(found))
    return {key: value for name, rows in found.items() for key, value in _claims(name, scale, rows)}


def _outcomes(desk: Desk, task: Task, budget: list[str]) -> dict[str, list[Outcome]]:
    """Train every method with every seed, in a study of the task's own, which ``ganvas report`` ranks."""
    own = replace(desk, study=f"{desk.study}-{task.name}")
    found: dict[str, list[Outcome]] = {method: [] for method in METHODS}
    for seed in desk.seeds(SEEDS):
        for method, line in METHODS.items():
            overrides = [*line, *task.own.get(method, []), *task.data, *budget]
            trained = run_preset(own, PRESET, line[0], seed, overrides)
            scores, kind = trained.add_scores(["memorisation"], SAMPLES).values(), f"score/{task.extractor}"
            close, authentic = (scores[f"{kind}/memorisation_{which}"] for which in ("close", "authentic"))
            outcome = Outcome(trained.score(f"{kind}/fd"), close, authentic)
            found[method].append(outcome)
            desk.report.update({f"{k}/{task.name}/{method}/{seed}": v for k, v in vars(outcome).items()})
            if seed == desk.seed:
                desk.samples(f"{task.name}_{method}", trained.subject.model.sample(50, seed=0).cpu())
    return found


def _claims(task: str, scale: str, found: dict[str, list[Outcome]]) -> Iterator[tuple[str, Measured]]:
    """Yield the gap between DiffAugment and no augmentation, and the correlation of distance and copies, by seed."""
    gaps = [ours.fd - none.fd for ours, none in zip(found["diffaugment"], found["none"], strict=True)]
    yield f"{task}_diffaugment_{scale}", Measured(gaps)
    by_seed = zip(*found.values(), strict=True)
    yield f"{task}_copies_{scale}", Measured([copies_with_quality(row) for row in by_seed])


def copies_with_quality(outcomes: tuple[Outcome, ...]) -> float:
    """Spearman's rank correlation over methods of the share of close samples with the distance, its sign turned.

    Args:
        outcomes: of every method, one seed.

    Returns:
        1 if every better distance comes with more copies, -1 if it comes with fewer; 0 if no method copies.
    """
    close, quality = [row.close for row in outcomes], [-row.fd for row in outcomes]
    return float(spearmanr(close, quality).statistic) if len(set(close)) > 1 else 0.0


def _features(desk: Desk, data: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of the 500 training images and of the held-out ones."""
    source = build(compose_preset(desk, PRESET, "real images", desk.seed, data)[0].data)
    found: list[Features] = []
    for split in ("train", "test"):
        examples = source.load(split)
        found.append(extract(MnistExtractor(), examples.batch(torch.arange(len(examples))), BATCH))
    return found[0].values, found[1].values


def _scatter(found: dict[str, dict[str, list[Outcome]]]) -> Figure:
    figure = Figure(figsize=(5 * len(found), 4))
    for axes, (task, rows) in zip(np.atleast_1d(figure.subplots(1, len(found))), found.items(), strict=True):
        for method, outcomes in rows.items():
            axes.plot([row.fd for row in outcomes], [row.close for row in outcomes], "o", label=method)
        axes.axhline(QUANTILE, color="k", ls=":", label="new real images")
        axes.set(title=task, xlabel="fd from held-out images", ylabel="share of samples close to a training image")
        axes.legend(fontsize="small")
    figure.tight_layout()
    return figure
