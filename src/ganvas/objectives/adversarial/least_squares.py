r"""Least squares GAN: squared distances of scores to labels, so that scores beyond the label have a gradient too.

.. math::
    L_D = \tfrac{1}{2} \mathbb{E}_x (D(x) - b)^2 + \tfrac{1}{2} \mathbb{E}_z (D(G(z)) - a)^2, \qquad
    L_G = \tfrac{1}{2} \mathbb{E}_z (D(G(z)) - c)^2.

With :math:`b - c = 1` and :math:`b - a = 2` the generator minimises the Pearson :math:`\chi^2` divergence between
:math:`p_\text{data} + p_G` and :math:`2 p_G`; with :math:`a = 0, b = c = 1` (0-1 coding) its scores
are pulled to the label of real examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.terms import CriticTerms, GeneratorTerms
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class LeastSquares(Divergence):
    r"""LSGAN in the paper's symbols: :math:`L_D = \frac12 E(D(x) - b)^2 + \frac12 E(D(G(z)) - a)^2`.

    Reference:
        Mao et al. 2017, eq. 2 (the losses), section 3.2 (Pearson; choice of the labels), https://arxiv.org/abs/1611.04076

    Args:
        a: the discriminator's label of generated examples.
        b: the discriminator's label of real examples, different from ``a``.
        c: the generator's label of its examples.

    Raises:
        ValueError: if ``a`` equals ``b``.
    """

    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        require(self.a != self.b, "a", self.a, f"a label other than b={self.b!r}", "Set a: 0, b: 1, c: 1.")

    @property
    def chance(self) -> float:
        r""":math:`(a - b)^2 / 4`, at the score :math:`(a + b) / 2`."""
        return (self.a - self.b) ** 2 / 4

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> CriticTerms:
        """Return half the mean squared distances of real scores to ``b`` and of generated ones to ``a``, summed."""
        real, fake = widen(real), widen(fake)
        total = ((real - self.b).square().mean() + (fake - self.a).square().mean()) / 2
        return CriticTerms(total, real.mean(), fake.mean())

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return half the mean squared distance of the scores to ``c``."""
        fake = widen(fake)
        return GeneratorTerms((fake - self.c).square().mean() / 2, fake.mean())
