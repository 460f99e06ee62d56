r"""What is asked of a critic beside its loss, and the three places where it can be asked.

A constraint puts itself on the network once (spectral norm), adds a term to the critic's loss,

.. math:: L_D + \lambda\, \Omega(D; x, G(z)),

or projects the weights after the critic's step (clipping). A concrete constraint does one of the three and derives
from the abstract class that has the other two empty. ``lipschitz`` says whether it bounds the critic's Lipschitz
constant, which a Wasserstein critic needs; the others regularise the discriminator's gradient near the data only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.health.evidence import InputGradients

Score = Callable[[Tensor], Tensor]
"""A critic as a penalty sees it: examples ``(n, *shape)`` to scores ``(m,)``, ``m`` a divisor of ``n`` if it packs."""


@dataclass(frozen=True)
class Constraint(ABC):
    """Abstract: the three hooks a model calls, in this order, around the critic's loss."""

    lipschitz: ClassVar[bool]

    @abstractmethod
    def prepare(self, critic: nn.Module) -> None:
        """Change the network, once, before the optimiser is made.

        Args:
            critic: the network, changed in place.
        """

    @abstractmethod
    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""] | None:
        """Return what is added to the critic's loss, already weighted, or None if nothing is.

        Args:
            critic: examples to scores.
            real: real examples, shape ``(n, *shape)``.
            fake: generated examples, same shape; gradients do not reach the generator.

        Returns:
            A scalar of at least ``float32`` with a graph to the critic's parameters, or None.
        """

    @abstractmethod
    def project(self, critic: nn.Module) -> None:
        """Bring the weights back into the allowed set, after each of the critic's steps.

        Args:
            critic: the network, changed in place.
        """

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> InputGradients | None:
        """Return the critic's gradient norms where :meth:`penalty` would take them, or None where it asks for none.

        Args:
            critic: examples to scores.
            real: real examples.
            fake: generated examples, as many.
        """
        return None


@dataclass(frozen=True)
class Penalty(Constraint):
    """Abstract: a term of the loss, nothing else."""

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    @abstractmethod
    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Return the weighted term, see :meth:`Constraint.penalty`."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""


@dataclass(frozen=True)
class Projection(Constraint):
    """Abstract: a set the weights are brought back into, nothing else."""

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]) -> None:
        """Add nothing to the loss."""


@dataclass(frozen=True)
class Reparametrisation(Constraint):
    """Abstract: another parametrisation of the network, nothing else."""

    def penalty(self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]) -> None:
        """Add nothing to the loss."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""
