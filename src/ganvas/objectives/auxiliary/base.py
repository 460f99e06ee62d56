r"""The base of auxiliary terms, which are added to the losses of an adversarial objective.

.. math:: L_D + A_D\big(x, y, z, G(z)\big), \qquad L_G + A_G\big(x, y, z, G(z)\big).

An auxiliary term reads what the critic says beside its score (:class:`~ganvas.types.Judged`): the features that the
score is made from, or further outputs of the critic that recognise a class or a code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.objectives.validation import require
from ganvas.types import Judged


@final
@dataclass(frozen=True, eq=False)
class Scene:
    """What the critic says of a batch, and what the batch was made from.

    Args:
        real: what the critic says of real examples; None in the generator's turn, unless the term is ``paired``.
        fake: what the critic says of generated examples.
        y: class of each real and of each generated example; None without classes.
        z: latents of the generated examples.
    """

    real: Judged | None
    fake: Judged
    y: Int64[Tensor, " n"] | None
    z: Float[Tensor, "n d"]


@dataclass(frozen=True)
class Auxiliary(ABC):
    """Abstract: a term for the critic's loss and a term for the generator's, both minimised, both means."""

    paired: ClassVar[bool] = False
    """Whether the generator's term reads real examples too."""

    @property
    @abstractmethod
    def recognised(self) -> int | None:
        """Number of outputs that the critic needs beside its score; 0 if features suffice, None if scores do."""

    @abstractmethod
    def critic_term(self, scene: Scene) -> Float[Tensor, ""] | None:
        """Compute the weighted term to add to the critic's loss; None if there is none.

        Args:
            scene: judged by the critic in training; gradients do not reach the generator.
        """

    @abstractmethod
    def generator_term(self, scene: Scene) -> Float[Tensor, ""] | None:
        """Compute the weighted term to add to the generator's loss; None if there is none.

        Args:
            scene: judged by a critic that does not learn; gradients reach the generator.
        """


def require_weight(weight: float) -> None:
    """Refuse a weight that is not positive.

    Raises:
        ValueError: names the weight.
    """
    require(weight > 0, "weight", weight, "a positive number", "Use 1, or auxiliary=none for none.")
