r"""What is asked of a critic besides its loss, and the three places where it can be asked.

A constraint puts itself on the network once (spectral norm), adds a term to the critic's loss,

.. math:: L_D + \lambda\, \Omega(D; x, G(z)),

or projects the weights after the critic's step (clipping). A concrete constraint does one of the three and derives
from the abstract class that has the other two empty; a :class:`~ganvas.objectives.Sum` does what its parts do.
``lipschitz`` says whether it bounds the critic's Lipschitz constant, which a Wasserstein critic needs; the others
regularise the discriminator's gradient near the data only.

A penalty may be lazy: at every :math:`e`-th update it is added with weight :math:`e \lambda`, which has the same mean
gradient at a fraction of the cost (Karras et al. 2020, appendix B, https://arxiv.org/abs/1912.04958).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.validation import require

Score = Callable[[Tensor], Tensor]
"""A critic as a penalty sees it: examples ``(n, *shape)`` to scores ``(m,)``, ``m`` a divisor of ``n`` if it packs."""


@final
@dataclass(frozen=True, eq=False)
class CriticSlopes:
    """Norms of the critic's gradient by its input, where a penalty asks for a norm.

    Args:
        norms: where the penalty would take them, at least one, without a graph.
        target: norm asked for, positive.
        one_sided: whether norms below the target are free.
    """

    norms: Float[Tensor, " n"]
    target: float
    one_sided: bool


@dataclass(frozen=True)
class Constraint(ABC):
    """Abstract: the three hooks a model calls, in this order, around the critic's loss."""

    lipschitz: ClassVar[bool]

    def flat(self) -> Iterator[Constraint]:
        """The constraints that this one is made of: itself, or the parts of a sum."""
        yield self

    @abstractmethod
    def prepare(self, critic: nn.Module) -> None:
        """Change the network, once, before the optimiser is made.

        Args:
            critic: the network, changed in place.
        """

    @abstractmethod
    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Return what is added to the critic's loss, already weighted, or None if nothing is.

        Args:
            critic: examples to scores.
            real: real examples, shape ``(n, *shape)``.
            fake: generated examples, same shape; gradients do not reach the generator.
            update: number of the critic's update, from 0; a lazy penalty is None at most of them.

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
    ) -> CriticSlopes | None:
        """Return the critic's gradient norms where :meth:`penalty` would take them, or None where it asks for none.

        Args:
            critic: examples to scores.
            real: real examples.
            fake: generated examples, as many.
        """
        return None


@dataclass(frozen=True)
class Penalty(Constraint):
    r"""Abstract: a term of the loss, nothing else.

    Args:
        weight: :math:`\lambda`, positive.
        every: :math:`e`, critic updates from one time that the term is added to the next, at least 1.

    Raises:
        ValueError: a weight that is not positive, or ``every`` below 1.
    """

    weight: float
    every: int = field(kw_only=True)

    def __post_init__(self) -> None:
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 10, or constraint=none for none.")
        require(self.every >= 1, "every", self.every, "an integer of at least 1", "Use 1, or 16 for a lazy penalty.")

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Return the weighted term at every ``every``-th update, see :meth:`Constraint.penalty`."""
        return None if update % self.every else self.weight * self.every * self.term(critic, real, fake)

    @abstractmethod
    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        r"""Return :math:`\Omega`, without its weight; the arguments are those of :meth:`Constraint.penalty`."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""


@dataclass(frozen=True)
class Projection(Constraint):
    """Abstract: a set the weights are brought back into, nothing else."""

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""


@dataclass(frozen=True)
class Reparametrisation(Constraint):
    """Abstract: another parametrisation of the network, nothing else."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""
