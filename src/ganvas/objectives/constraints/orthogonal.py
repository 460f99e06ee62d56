r"""Orthogonal regularisation of the critic: its filters are pulled towards being orthogonal to each other.

.. math:: \beta \sum_W \| W W^\top \odot (1 - I) \|_F^2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.constraints.base import Penalty, Score
from ganvas.objectives.judge import network_of
from ganvas.objectives.orthogonality import overlap, require_filters


@final
@dataclass(frozen=True)
class Orthogonal(Penalty):
    r"""Orthogonal regularisation without the diagonal, on every linear and convolutional layer of the critic.

    Reference:
        Brock et al. 2018, eq. 3, https://arxiv.org/abs/1809.11096

    Args:
        weight: :math:`\beta`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
    """

    lipschitz: ClassVar[bool] = False

    def prepare(self, critic: nn.Module) -> None:
        """Check that the critic has filters.

        Raises:
            ValueError: it has no linear and no convolutional layer.
        """
        require_filters(critic, "critic")

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the overlap of the critic's filters."""
        return overlap(network_of(critic))
