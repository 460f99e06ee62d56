r"""The base of regularisers of a generator: a term of its loss that does not come from the critic.

.. math:: L_G + \lambda\, \Omega(G; z)

As a penalty of the critic, it may be lazy (:mod:`ganvas.objectives.lazy`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.objectives.lazy import Lazy


@dataclass(frozen=True)
class Regulariser(ABC):
    """Abstract: a model calls ``prepare`` once, then ``penalty`` at each update of the generator."""

    @abstractmethod
    def prepare(self, generator: nn.Module) -> None:
        """Check the generator, and register the regulariser's state as its buffers; called once, before training.

        Args:
            generator: the network, changed in place.

        Raises:
            ValueError: the regulariser does not suit the generator.
        """

    @abstractmethod
    def penalty(
        self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None, update: int
    ) -> Float[Tensor, ""] | None:
        """Compute the weighted term to add to the generator's loss; None if there is none at this update.

        Args:
            generator: the network.
            z: latents of the update.
            y: class of each, if the generator is conditional.
            update: number of the generator's update, from 0.

        Returns:
            A scalar in at least ``float32`` with a graph to the generator's parameters, or None.
        """


@dataclass(frozen=True)
class LazyRegulariser(Lazy, Regulariser):
    """Abstract: a regulariser with a weight, which may be lazy; the arguments are those of a lazy term."""

    def penalty(
        self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None, update: int
    ) -> Float[Tensor, ""] | None:
        """Compute the weighted term at every ``every``-th update, see :meth:`Regulariser.penalty`."""
        factor = self.factor(update)
        return None if factor is None else factor * self.term(generator, z, y)

    @abstractmethod
    def term(self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, ""]:
        r"""Compute :math:`\Omega` without its weight; the arguments are those of :meth:`Regulariser.penalty`."""
