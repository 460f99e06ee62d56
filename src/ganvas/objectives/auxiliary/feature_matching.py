r"""Feature matching: the generator's examples have, on average, the critic's features of real examples.

.. math:: L_{FM} = \big\| \mathbb{E}_x h(x) - \mathbb{E}_z h(G(z)) \big\|_2^2,

where :math:`h` are the activations that the critic's score is made from. The critic's loss gets no term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.auxiliary.base import Auxiliary, Scene, require_weight
from ganvas.types import widen


@final
@dataclass(frozen=True)
class FeatureMatching(Auxiliary):
    r"""Squared distance of the mean features, :math:`\lambda L_{FM}`, added to the generator's loss.

    In the paper it replaces the generator's loss; a large :math:`\lambda` comes close to that.

    Reference:
        Salimans et al. 2016, section 3.1, https://arxiv.org/abs/1606.03498

    Args:
        weight: :math:`\lambda`, positive.

    Raises:
        ValueError: ``weight`` is not positive.
    """

    weight: float
    paired: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_weight(self.weight)

    @property
    def recognised(self) -> int:
        """Number of further outputs, which is 0."""
        return 0

    def critic_term(self, scene: Scene) -> None:
        """Add nothing to the critic's loss."""

    def generator_term(self, scene: Scene) -> Float[Tensor, ""]:
        """Compute the weighted squared distance; its gradient reaches the generator only."""
        assert scene.real is not None and scene.real.features is not None and scene.fake.features is not None
        real, fake = widen(scene.real.features).detach(), widen(scene.fake.features)
        return self.weight * (fake.mean(0) - real.mean(0)).square().sum()
