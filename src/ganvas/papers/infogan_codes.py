r"""Chen et al. 2016, section 7.2: without labels, a code of ten values comes to stand for the ten digits.

The critic's outputs :math:`Q(c \mid x)` for the categorical code classify real digits: each value of the code is
matched with one class, so that as many digits as possible are right. The bound on the mutual information of code and
image is

.. math:: L_I = H(c) + \mathbb{E}_{c, z} \log Q(c \mid G(z, c)) \le I(c; G(z, c)) \le H(c) = \log 10.

The classes are matched on training digits and the error is measured on test digits. Beside it stands the error of ten
clusters of pixels (k-means), matched in the same way: what pixels alone give without labels.

Reference: https://arxiv.org/abs/1606.03657, sections 5 and 7, Figures 1 and 2; https://github.com/openai/InfoGAN
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from ganvas.config import build
from ganvas.data.source import Examples, Source
from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, compose_preset, run_preset
from ganvas.types import to_float

PRESET = "infogan_codes"
CLASSES, BATCH, SEEDS = 10, 500, 5
MATCHED, SAMPLES = 10_000, 10_000
"""Training digits that match the codes with classes, and samples of the bound."""
FAST = ["data=mnist5k", "network=mlp", "~network.critic.batch_norm", "budget.images=64_000", "extractor=none"]
"""Dense networks on the embedded digits, which learn to tell their codes within seconds."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu, "full": _full}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    digits = Digits(desk, ["data=mnist5k"])
    trained = run_preset(desk, PRESET, "dense networks", desk.seed, FAST)
    codes = digits.recognised(trained)
    desk.report["error/dense"] = digits.error(*codes)
    return {
        "renamed": Measured([digits.error(*((3 * y + 4) % CLASSES for y in digits.labels))]),
        "guessed": Measured([digits.error(*(torch.zeros_like(y) for y in digits.labels))]),
        "clusters_smoke": Measured([digits.error(*digits.clusters(desk.seed))]),
        "information_smoke": Measured([information(trained)]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    digits = Digits(desk, [])
    trained = run_preset(desk, PRESET, "infogan", desk.seed)
    error, clusters = digits.error(*digits.recognised(trained)), digits.error(*digits.clusters(desk.seed))
    desk.report["error/clusters"] = clusters
    desk.samples("codes", columns(trained))
    return {
        "error_cpu": Measured([error], math.sqrt(error * (1 - error) / len(digits.labels[1]))),
        "error_minus_clusters": Measured([error - clusters]),
        "information_cpu": Measured([information(trained)]),
    }


def _full(desk: Desk) -> dict[str, Measured]:
    digits, errors, bounds = Digits(desk, []), [], []
    for seed in desk.seeds(SEEDS):
        trained = run_preset(desk, PRESET, "infogan", seed)
        errors.append(digits.error(*digits.recognised(trained)))
        bounds.append(information(trained))
    desk.samples("codes", columns(trained))
    return {"error_full": Measured(errors), "information_full": Measured(bounds)}


class Digits:
    """Training digits that match codes with classes, and test digits that measure the error.

    Args:
        desk: desk of the program, whose seed chooses the training digits.
        overrides: overrides of the preset that choose the data.
    """

    def __init__(self, desk: Desk, overrides: list[str]) -> None:
        source: Source = build(compose_preset(desk, PRESET, "real digits", desk.seed, overrides)[0].data)
        train, test = source.load("train"), source.load("test")
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(desk.seed))[:MATCHED]
        (x, y), (x_test, y_test) = _taken(train, order), _taken(test, torch.arange(len(test)))
        self.images, self.labels = (x, x_test), (y, y_test)

    def recognised(self, trained: Trained) -> list[Int64[Tensor, " n"]]:
        """Read the most likely code of each digit by the critic, for training and test digits."""
        model = trained.subject.model.eval()
        critic, parts = model.get_submodule("critic"), []
        with torch.no_grad():
            for images in self.images:
                said = [critic.read(to_float(x).to(model.device)).recognised for x in images.split(BATCH)]  # type: ignore[operator]
                parts.append(torch.cat(said)[:, :CLASSES].argmax(1).cpu())
        return parts

    def clusters(self, seed: int) -> list[Int64[Tensor, " n"]]:
        """Put each digit into the nearest of ten clusters of the training digits' pixels.

        Args:
            seed: seed of the ten digits that the clusters start at.
        """
        train, test = (images.flatten(1).double().numpy() / 255 for images in self.images)
        start = train[np.random.RandomState(seed).permutation(len(train))[:CLASSES]]
        centres, codes = kmeans2(train, start, iter=100, minit="matrix")
        return [torch.from_numpy(c).long() for c in (codes, cdist(test, centres).argmin(1))]

    def error(self, codes: Int64[Tensor, " n"], test_codes: Int64[Tensor, " m"]) -> float:
        """Share of the test digits that the matched codes classify wrongly.

        Args:
            codes: code of each training digit.
            test_codes: code of each test digit.
        """
        labels, test_labels = self.labels
        return float((matched(codes, labels)[test_codes] != test_labels).double().mean())


def matched(codes: Int64[Tensor, " n"], labels: Int64[Tensor, " n"]) -> Int64[Tensor, " k"]:
    """Match each code with one class, so that as many examples as possible are right.

    Args:
        codes: code of each example, from 0 to 9.
        labels: class of each example, from 0 to 9.

    Returns:
        The class of each code.
    """
    pairs = torch.bincount(CLASSES * codes + labels, minlength=CLASSES**2).view(CLASSES, CLASSES)
    return torch.from_numpy(linear_sum_assignment(pairs.numpy(), maximize=True)[1])


def information(trained: Trained) -> float:
    """Compute the bound on the mutual information of the categorical code and the generated image, nats."""
    model = trained.subject.model
    z = model.prior.sample(SAMPLES, generator=torch.Generator().manual_seed(0))
    noise = model.prior.noise  # type: ignore[attr-defined]
    with torch.no_grad():
        said = [model.critic.read(model.decoded(part)).recognised.cpu() for part in z.split(BATCH)]  # type: ignore[operator,union-attr]
    logits, meant = torch.cat(said)[:, :CLASSES], z[:, noise : noise + CLASSES]
    return math.log(CLASSES) - float(cross_entropy(logits.double(), meant.double()))


def columns(trained: Trained) -> Float[Tensor, "n c h w"]:
    """Generate ten images of each of ten noises; a column has one value of the categorical code."""
    model = trained.subject.model
    z = model.prior.sample(CLASSES, generator=torch.Generator().manual_seed(0)).repeat_interleave(CLASSES, 0)
    noise = model.prior.noise  # type: ignore[attr-defined]
    z[:, noise : noise + CLASSES] = one_hot(torch.arange(CLASSES), CLASSES).float().repeat(CLASSES, 1)
    return model.decoded(z).cpu()


def _taken(examples: Examples, index: Int64[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    assert examples.labels is not None
    return examples.batch(index), examples.labels[index]
