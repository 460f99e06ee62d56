r"""A sum of constraints, each with its own weight and its own interval between updates.

.. math:: \Omega = \sum_i \lambda_i\, \Omega_i
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.constraints.base import Constraint, CriticSlopes, Score


@final
@dataclass(frozen=True)
class Sum(Constraint):
    """Several constraints at once, such as R1 and R2, or spectral normalisation and R1.

    Args:
        parts: constraints by name; the config sets their fields as in ``constraint.parts.r1.weight``.
    """

    parts: Mapping[str, Constraint]

    @property
    def lipschitz(self) -> bool:  # type: ignore[override]
        """Whether at least one part bounds the critic's Lipschitz constant."""
        return any(part.lipschitz for part in self.parts.values())

    def flat(self) -> Iterator[Constraint]:
        """Yield all parts, with nested sums resolved."""
        for part in self.parts.values():
            yield from part.flat()

    def prepare(self, critic: nn.Module) -> None:
        """Call ``prepare`` of every part, in order."""
        for part in self.parts.values():
            part.prepare(critic)

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Compute the sum of the parts' penalties at this update; None if no part has one."""
        found = [part.penalty(critic, real, fake, update) for part in self.parts.values()]
        terms = [term for term in found if term is not None]
        return sum(terms[1:], start=terms[0]) if terms else None

    def project(self, critic: nn.Module) -> None:
        """Call ``project`` of every part, in order."""
        for part in self.parts.values():
            part.project(critic)

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> CriticSlopes | None:
        """Return the gradient norms of the first part that has a target norm."""
        found = (part.input_gradients(critic, real, fake) for part in self.parts.values())
        return next((slopes for slopes in found if slopes is not None), None)
