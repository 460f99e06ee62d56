r"""The base of adversarial objectives: a loss for the critic and a loss for the generator, both functions of scores.

A critic :math:`D` gives every example one unbounded score. The critic and the generator minimise

.. math:: L_D\big(D(x), D(G(z))\big), \qquad L_G\big(D(G(z)), D(x)\big).

Few generator losses read the real scores. Those that do set ``paired``, and a model computes the scores only for them.

There are two kinds of objectives, and each model accepts one kind. In the first, :class:`Divergence`, the critic's loss
is bounded below for any critic, and the best critic's loss gives a divergence between the two distributions. The second
is the Wasserstein objective, which is bounded only for Lipschitz critics and therefore needs a constraint.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.terms import Terms


@dataclass(frozen=True)
class Adversarial(ABC):
    """Abstract: a loss for the critic and one for the generator, both minimised, both means over the batch."""

    paired: ClassVar[bool] = False
    """Whether both losses compare pairs of a real and a generated score; there are then equally many of both."""

    @abstractmethod
    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Terms:
        """Compute the critic's loss.

        Args:
            real: raw scores of real examples, shape ``(n,)``.
            fake: raw scores of generated examples, shape ``(m,)``, without a graph to the generator.

        Returns:
            Terms with a ``total`` in at least ``float32``.
        """

    @abstractmethod
    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> Terms:
        """Compute the generator's loss.

        Args:
            fake: raw scores of generated examples, shape ``(m,)``, attached to the generator's graph.
            real: raw scores of as many real examples by the same critic; None unless the objective is ``paired``, or
                the critic depends on the generator, because it looks ahead.

        Returns:
            Terms with a ``total`` in at least ``float32``.
        """


@dataclass(frozen=True)
class Divergence(Adversarial):
    """Abstract: an objective that is bounded below for any discriminator, without a Lipschitz constraint."""

    @property
    @abstractmethod
    def chance(self) -> float:
        r"""Smallest loss of a discriminator that gives all examples one score, :math:`\min_c L_D(c, c) > 0`."""
