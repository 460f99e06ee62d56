r"""The base of constraints on a critic, with a hook for each of the three kinds.

A constraint changes the network once (spectral norm), adds a term to the critic's loss,

.. math:: L_D + \lambda\, \Omega(D; x, G(z)),

or projects the weights after the critic's step (clipping). A concrete constraint does one of the three. It derives
from the abstract class of its kind, in which the other two hooks do nothing. A :class:`~ganvas.objectives.Sum` joins
several constraints. ``lipschitz`` says whether a constraint bounds the critic's Lipschitz constant, which a Wasserstein
critic needs; the others only regularise the discriminator's gradient near the data.

A penalty may be lazy (:mod:`ganvas.objectives.lazy`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.lazy import Lazy

Score = Callable[[Tensor], Tensor]
"""Maps examples ``(n, *shape)`` to scores ``(m,)``; ``m = n``, or a divisor of ``n`` if the critic packs examples."""


def without_graph(x: Float[Tensor, " n *shape"]) -> Float[Tensor, " n *shape"]:
    """Cut the graph of examples; examples without one stay the same object, whose scores a judge remembers."""
    return x.detach() if x.requires_grad else x


@final
@dataclass(frozen=True, eq=False)
class CriticSlopes:
    """Norms of the critic's gradient with respect to its input, for a penalty on their distance to a target.

    Args:
        norms: norms at points as the penalty chooses them, at least one, without a graph.
        target: target of the norms, positive.
        one_sided: whether norms below the target cost nothing.
    """

    norms: Float[Tensor, " n"]
    target: float
    one_sided: bool


@dataclass(frozen=True)
class Constraint(ABC):
    """Abstract: a model calls ``prepare`` once, then ``penalty`` and ``project`` at each update of the critic."""

    lipschitz: ClassVar[bool]

    def flat(self) -> Iterator[Constraint]:
        """Yield the constraint itself, or the parts of a sum."""
        yield self

    @abstractmethod
    def prepare(self, critic: nn.Module) -> None:
        """Change the network; called once, before the optimiser is made.

        Args:
            critic: the network, changed in place.
        """

    @abstractmethod
    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Compute the weighted term to add to the critic's loss; None if there is none at this update.

        Args:
            critic: maps examples to scores.
            real: real examples, shape ``(n, *shape)``.
            fake: generated examples, same shape; gradients do not reach the generator.
            update: number of the critic's update, from 0; a lazy penalty returns None at most updates.

        Returns:
            A scalar in at least ``float32`` with a graph to the critic's parameters, or None.
        """

    @abstractmethod
    def project(self, critic: nn.Module) -> None:
        """Project the weights onto the allowed set; called after each step of the critic.

        Args:
            critic: the network, changed in place.
        """

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> CriticSlopes | None:
        """Compute the gradient norms that :meth:`penalty` compares with its target; None if it has no target norm.

        Args:
            critic: maps examples to scores.
            real: real examples, shape ``(n, *shape)``.
            fake: generated examples, same shape.
        """
        return None


@dataclass(frozen=True)
class Penalty(Lazy, Constraint):
    """Abstract: a constraint that only adds a term to the loss; the arguments are those of a lazy term."""

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Compute the weighted term at every ``every``-th update, see :meth:`Constraint.penalty`."""
        factor = self.factor(update)
        return None if factor is None else factor * self.term(critic, real, fake)

    @abstractmethod
    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        r"""Compute :math:`\Omega` without its weight; the arguments are those of :meth:`Constraint.penalty`."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""


@dataclass(frozen=True)
class Projection(Constraint):
    """Abstract: a constraint that only projects the weights onto a set."""

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""


@dataclass(frozen=True)
class Reparametrisation(Constraint):
    """Abstract: a constraint that only changes the parametrisation of the network."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""
