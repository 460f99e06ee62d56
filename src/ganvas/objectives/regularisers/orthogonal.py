r"""Orthogonal regularisation of the generator: its filters are pulled towards being orthogonal to each other.

.. math:: \beta \sum_W \| W W^\top \odot (1 - I) \|_F^2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.objectives.orthogonality import overlap, require_filters
from ganvas.objectives.regularisers.base import LazyRegulariser


@final
@dataclass(frozen=True)
class OrthogonalGenerator(LazyRegulariser):
    r"""Orthogonal regularisation without the diagonal, on every linear and convolutional layer of the generator.

    Reference:
        Brock et al. 2018, eq. 3, https://arxiv.org/abs/1809.11096

    Args:
        weight: :math:`\beta`, positive.
        every: the term is added at every ``every``-th generator update; at least 1.
    """

    def prepare(self, generator: nn.Module) -> None:
        """Check that the generator has filters.

        Raises:
            ValueError: it has no linear and no convolutional layer.
        """
        require_filters(generator, "generator")

    def term(self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, ""]:
        """Compute the overlap of the generator's filters."""
        return overlap(generator)
