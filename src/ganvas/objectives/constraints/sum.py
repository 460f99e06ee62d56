r"""A sum of constraints: every part does its own thing, with a weight and a period of its own.

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
    """Several constraints at once, as R1 and R2, or spectral normalisation and R1.

    Args:
        parts: by the name under which their fields are set, as ``constraint.parts.r1.weight``.
    """

    parts: Mapping[str, Constraint]

    @property
    def lipschitz(self) -> bool:  # type: ignore[override]
        """Whether a part bounds the critic's Lipschitz constant."""
        return any(part.lipschitz for part in self.parts.values())

    def flat(self) -> Iterator[Constraint]:
        """The parts, and the parts of parts."""
        for part in self.parts.values():
            yield from part.flat()

    def prepare(self, critic: nn.Module) -> None:
        """Let every part change the network, in order."""
        for part in self.parts.values():
            part.prepare(critic)

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> Float[Tensor, ""] | None:
        """Return the sum of the parts' penalties at this update, or None where there is none."""
        found = [part.penalty(critic, real, fake, update) for part in self.parts.values()]
        terms = [term for term in found if term is not None]
        return sum(terms[1:], start=terms[0]) if terms else None

    def project(self, critic: nn.Module) -> None:
        """Let every part bring the weights back, in order."""
        for part in self.parts.values():
            part.project(critic)

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> CriticSlopes | None:
        """Return the norms of the first part that asks for one."""
        found = (part.input_gradients(critic, real, fake) for part in self.parts.values())
        return next((slopes for slopes in found if slopes is not None), None)
