r"""Consistency: the critic's score of an example should not depend on how the example is transformed.

.. math:: L_\text{CR} = \lambda\, \mathbb{E}_x (D(x) - D(T(x)))^2, \qquad
    L_\text{bCR} = \lambda\, \mathbb{E}_x (D(x) - D(T(x)))^2 + \lambda\, \mathbb{E}_z (D(G(z)) - D(T(G(z))))^2,

with a random transformation :math:`T`, in both papers flips and translations. Unlike an augmentation of the game
(``augment``), only the constraint sees transformed examples; the generator never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.augment import Augmentation
from ganvas.objectives.constraints.base import Penalty, Score, without_graph
from ganvas.types import widen


@dataclass(frozen=True)
class ConsistencyPenalty(Penalty):
    r"""Abstract: a penalty on how a random transformation changes scores.

    Args:
        weight: :math:`\lambda`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
        transforms: augmentations by name, one after the other; the config sets their fields as in
            ``constraint.transforms.flip.p``.

    Raises:
        ValueError: ``weight`` is not positive, or ``every`` is below 1.
    """

    transforms: Mapping[str, Augmentation]
    lipschitz: ClassVar[bool] = False

    def prepare(self, critic: nn.Module) -> None:
        """Check that the transformations suit the critic's examples.

        Raises:
            ValueError: one of them does not.
        """
        for transform in self.transforms.values():
            transform.check(critic.shape)  # type: ignore[arg-type]

    def change(self, critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, ""]:
        """Compute the mean squared change of the scores under the transformations."""
        x = without_graph(x)
        transformed = x
        for transform in self.transforms.values():
            transformed = transform(transformed, transform.p)
        return (widen(critic(x)) - widen(critic(transformed))).square().mean()


@final
@dataclass(frozen=True)
class Consistency(ConsistencyPenalty):
    """Consistency regularisation (CR) on real examples.

    Reference:
        Zhang et al. 2019, eq. 2, https://arxiv.org/abs/1910.12027
    """

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the change of the real scores."""
        return self.change(critic, real)


@final
@dataclass(frozen=True)
class BalancedConsistency(ConsistencyPenalty):
    """Balanced consistency regularisation (bCR): on real and on generated examples.

    Reference:
        Zhao et al. 2020, algorithm 1, https://arxiv.org/abs/2002.04724
    """

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the change of the real scores plus that of the generated ones."""
        return self.change(critic, real) + self.change(critic, fake)
