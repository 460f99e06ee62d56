r"""Mode coverage of stacked digits: a classifier reads each channel, and the triple of digits is the mode.

.. math:: \text{mode}(x) = 100 a + 10 b + c, \qquad \mathrm{KL}(\hat p \,\|\, \text{uniform over } 10^3)

26,000 samples of a perfect model have 1000 modes and a divergence of 0.0193 ± 0.0009
(:func:`ganvas.metrics.histogram.sampling_floor`), plus the effect of the classifier's errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score
from ganvas.metrics.histogram import histogram_kl, sampling_floor


@final
@dataclass(frozen=True)
class StackedModes:
    """Mode coverage of generated stacked digits.

    Args:
        covered: number of modes generated at least once.
        modes: number of modes of the data, 1000 for three digits.
        kl: divergence of the modes' shares from the uniform, in nats.
    """

    covered: int
    modes: int
    kl: float


def stacked_modes(digits: Int64[Tensor, "n c"], classes: int) -> StackedModes:
    r"""Count the covered modes, and compute the divergence of their shares from the uniform.

    .. math:: \#\{k : n_k > 0\}, \qquad \sum_k \hat p_k \log (\hat p_k\, C^c)

    Reference: Metz et al. 2017, section 3.3.1, https://arxiv.org/abs/1611.02163; Lin et al. 2018,
    section 4.2, https://arxiv.org/abs/1712.04086 (26,000 samples).

    Args:
        digits: predicted class of each channel, 0 to ``classes - 1``; the first channel is the highest digit.
        classes: C, 10 for digits.

    Raises:
        ValueError: there is no image, or a class is out of range.
    """
    if not len(digits) or int(digits.min()) < 0 or int(digits.max()) >= classes:
        found = f"{int(digits.min())} to {int(digits.max())}" if len(digits) else "no image"
        raise ValueError(f"digits: expected classes 0 to {classes - 1}, got {found}; pass the argmax of the logits")
    modes = classes ** digits.shape[1]
    powers = classes ** torch.arange(digits.shape[1] - 1, -1, -1)
    counts = torch.bincount((digits.cpu() * powers).sum(1), minlength=modes)
    return StackedModes(int((counts > 0).sum()), modes, histogram_kl(counts, torch.ones_like(counts)))


DIGITS: Final = 10
_BATCH: Final = 250


def read_digits(images: UInt8[Tensor, "n c 28 28"], extractor: MnistExtractor) -> Int64[Tensor, "n c"]:
    """Classify each channel by the embedded classifier.

    Args:
        images: ``uint8`` in [0, 255].
        extractor: the classifier.
    """
    logits = extract(extractor, images.flatten(0, 1)[:, None], _BATCH).logits
    assert logits is not None
    return logits.argmax(1).unflatten(0, (-1, images.shape[1]))


def _stacked(material: Material) -> Measured:
    """Classify each channel with the embedded classifier, and count the modes."""
    if material.shape != (3, 28, 28):
        raise ValueError(
            f"metrics: stacked_modes reads images of shape (3, 28, 28), {material.subject} has {material.shape}"
        )
    extractor = MnistExtractor()
    found = stacked_modes(read_digits(material.draw(), extractor), DIGITS)
    return Measured(
        {"modes": Score(float(found.covered), None, ""), "kl": Score(found.kl, None, "")},
        floor={"kl": sampling_floor(material.n, found.modes)[0]},
        conditions={"n": material.n, "classifier": extractor.weights_hash},
    )


METRIC = Metric(
    "stacked_modes",
    SAMPLES,
    {"modes": False, "kl": True},
    (),
    1,
    _stacked,
    "modes of stacked digits that the embedded classifier reads, and their divergence from the uniform",
    "stacked",
)
