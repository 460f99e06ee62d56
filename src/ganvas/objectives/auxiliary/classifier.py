r"""The auxiliary classifier: the critic also says which class an example is of, and the generator makes it right.

.. math:: L_C = -\mathbb{E}_{x, y} \log C(y \mid x) - \mathbb{E}_{z, y} \log C(y \mid G(z, y)).

The critic minimises :math:`L_C` over both kinds of examples, and the generator its second half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganvas.objectives.auxiliary.base import Auxiliary, Scene, require_weight
from ganvas.objectives.validation import require
from ganvas.types import Judged, widen


@final
@dataclass(frozen=True)
class Classifier(Auxiliary):
    r"""ACGAN's classification loss, :math:`\lambda L_C`, in nats.

    The critic needs one output for each class, as :class:`ganvas.networks.Recognising` gives it.

    Reference:
        Odena et al. 2017, eq. 3, https://arxiv.org/abs/1610.09585

    Args:
        weight: :math:`\lambda`, positive; 1 in the paper.
        classes: number of classes, at least 2.

    Raises:
        ValueError: a number is out of range.
    """

    weight: float
    classes: int

    def __post_init__(self) -> None:
        require_weight(self.weight)
        require(self.classes >= 2, "classes", self.classes, "at least 2", "Use the number of classes of the data.")

    @property
    def recognised(self) -> int:
        """Number of classes."""
        return self.classes

    def critic_term(self, scene: Scene) -> Float[Tensor, ""]:
        """Compute the cross-entropies of the classes of real and of generated examples, added."""
        assert scene.real is not None
        return self.weight * (_error(scene.real, scene.y) + _error(scene.fake, scene.y))

    def generator_term(self, scene: Scene) -> Float[Tensor, ""]:
        """Compute the cross-entropy of the classes of generated examples."""
        return self.weight * _error(scene.fake, scene.y)


def _error(judged: Judged, y: Int64[Tensor, " n"] | None) -> Float[Tensor, ""]:
    logits = judged.recognised
    require(y is not None, "y", y, "the class of each example", "Choose data with classes, or auxiliary=none.")
    assert y is not None and logits is not None
    return cross_entropy(widen(logits), y)
