r"""Lazy terms of a loss: they are added at every :math:`e`-th update only, with weight :math:`e \lambda`.

The mean gradient is the same, at a fraction of the cost.

Reference: Karras et al. 2020, appendix B, https://arxiv.org/abs/1912.04958
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ganvas.objectives.validation import require


@dataclass(frozen=True)
class Lazy:
    r"""Abstract: a term with a weight, which may be lazy.

    Args:
        weight: :math:`\lambda`, positive.
        every: :math:`e`, the term is added at every ``every``-th update of its player; at least 1.

    Raises:
        ValueError: ``weight`` is not positive, or ``every`` is below 1.
    """

    weight: float
    every: int = field(kw_only=True)

    def __post_init__(self) -> None:
        fix = "Use 1; constraint=none and regulariser=none leave the term out."
        require(self.weight > 0, "weight", self.weight, "a positive number", fix)
        require(self.every >= 1, "every", self.every, "an integer of at least 1", "Use 1, or 16 for a lazy term.")

    def factor(self, update: int) -> float | None:
        """Compute the weight of the term at an update; None if the term is not added then.

        Args:
            update: number of the player's update, from 0.
        """
        return None if update % self.every else self.weight * self.every


def every(part: object) -> int:
    """Return the number of updates after which a part of a loss repeats; 1 for one that is not lazy.

    Args:
        part: a constraint, a regulariser.
    """
    return part.every if isinstance(part, Lazy) else 1
