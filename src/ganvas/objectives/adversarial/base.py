r"""The two sides of an adversarial game, as losses of scores.

A critic :math:`D` gives every example one unbounded score. An adversarial objective names what each side minimises:

.. math:: L_D\big(D(x), D(G(z))\big), \qquad L_G\big(D(G(z)), D(x)\big).

Most generators' losses do not read the real scores; ``paired`` says which do, so that a model computes them only then.

There are two kinds, and a model accepts one of them. A :class:`Divergence` is bounded below for any critic, whose
optimum is a divergence between the two distributions. The Wasserstein objective is bounded only for critics held to a
Lipschitz constant, and so needs a constraint beside it.
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
    """Abstract: one loss for each player, both to be minimised, both means over the batch."""

    paired: ClassVar[bool] = False
    """Whether the losses compare real and generated scores in pairs: as many of both, and the generator reads both."""

    @abstractmethod
    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Terms:
        """What the critic minimises.

        Args:
            real: raw scores of real examples, shape ``(n,)``.
            fake: raw scores of generated examples, shape ``(m,)``; the generator's graph is cut by the caller.

        Returns:
            Terms whose ``total`` is at least ``float32``.
        """

    @abstractmethod
    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> Terms:
        """What the generator minimises.

        Args:
            fake: raw scores of generated examples, shape ``(m,)``, attached to the generator's graph.
            real: raw scores of as many real examples by the same critic; read where ``paired``, else None.

        Returns:
            Terms whose ``total`` is at least ``float32``.
        """


@dataclass(frozen=True)
class Divergence(Adversarial):
    """Abstract: an objective that is bounded for any discriminator, without a Lipschitz constraint."""

    @property
    @abstractmethod
    def chance(self) -> float:
        r"""Loss of the best constant score, :math:`\min_c L_D(c, c)`: of a discriminator that cannot tell; positive."""
