r"""The base of quantisers: a grid of vectors becomes a grid of codes, and vectors again.

.. math:: z \mapsto c \mapsto e(c), \qquad \frac{\partial\, e}{\partial z} := I.

The gradient of what comes after passes the quantiser as if it were the identity (straight-through).

Reference: van den Oord et al. 2017, section 3.2, https://arxiv.org/abs/1711.00937; Bengio et al. 2013,
https://arxiv.org/abs/1308.3432.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor, nn


@final
@dataclass(frozen=True, eq=False)
class Quantised:
    """A grid after quantisation.

    Args:
        z: vectors of the codes, with the gradient of the grid that came in.
        codes: depth codes at each place, each in [0, codes).
        terms: losses of the encoder and of the codebook by name, for each image a sum over coordinates and places.
    """

    z: Float[Tensor, "n d h w"]
    codes: Int64[Tensor, "n l h w"]
    terms: Mapping[str, Float[Tensor, " n"]]


class Quantiser(nn.Module, ABC):
    """Abstract: a map from vectors to codes and back, the same at each place of a grid.

    Attributes:
        dim: number d of coordinates of a vector.
        codes: number K of values of a code.
        depth: number l of codes at a place.
    """

    dim: int
    codes: int
    depth: int

    @abstractmethod
    def forward(self, z: Float[Tensor, "n d h w"]) -> Quantised:
        """Quantise a grid; nothing but the output depends on it, see :meth:`learn`."""

    @abstractmethod
    def embed(self, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n d h w"]:
        """Return the vectors of codes."""

    @abstractmethod
    def learn(self, z: Float[Tensor, "n d h w"], codes: Int64[Tensor, "n l h w"]) -> None:
        """Update what no gradient updates, after an optimiser step.

        Args:
            z: the whole batch that came in.
            codes: the codes that it got.
        """


def straight_through(z: Float[Tensor, "*shape"], quantised: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Give ``quantised`` the gradient of ``z``.

    The common ``z + (quantised - z)`` differs from ``quantised`` by a rounding error; here the difference is 0.

    Args:
        z: tensor that the gradient goes to, unchanged.
        quantised: tensor of the values; it gets no gradient.
    """
    return quantised.detach() + (z - z.detach())
