r"""A distribution over grids of codes, each drawn given those before it.

.. math:: p(c) = \prod_{i,j} \prod_l p(c_{l,i,j} \mid c_{<i,j},\, c_{<l,i,j}),

row by row, in a row from left to right, at a place level by level. A network gives the logits of all codes of a grid at
once; those of a code do not depend on itself and on later ones. To draw, it is asked once for each code, and a uniform
number :math:`u` becomes the first code whose distribution function exceeds it:

.. math:: c = \min \{k : F(k) > u\}, \qquad F(k) = \sum_{m \le k} p(m).

Reference: van den Oord et al. 2016, equation 1, https://arxiv.org/abs/1601.06759; over codes: van den Oord et al. 2017,
section 3.3, https://arxiv.org/abs/1711.00937.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganvas.display import counted
from ganvas.types import DrawsRows, Predictor, widen

CHUNK: Final = 500
"""Grids that are drawn together."""


@final
class Autoregressive(nn.Module):
    """Codes that are drawn one after the other.

    Args:
        network: gives the logits of each code from those before it.
        height: rows of the grid, at least 1.
        width: columns of the grid, at least 1.
    """

    network: Any  # an nn.Module and a Predictor; Python has no type for both

    def __init__(self, network: Predictor, height: int, width: int) -> None:
        super().__init__()
        self.network = network
        self.height, self.width = height, width

    def log_prob(self, z: Int64[Tensor, "n l h w"]) -> Float[Tensor, " n"]:
        """Compute the log probability of codes, nats.

        Args:
            z: grids of codes.
        """
        logits = widen(self.network(z)).movedim(-1, 1)
        return -cross_entropy(logits, z, reduction="none").sum((1, 2, 3))

    @torch.no_grad()
    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Int64[Tensor, "n l h w"]:
        """Draw ``n`` grids of codes; each is a function of the network and of its own uniform numbers.

        Args:
            n: number of grids.
            device: device of the codes; the network stays where it is.
            generator: random generator on ``device``; None uses the global one.
        """
        shape = (n, self.network.depth, self.height, self.width)
        numbers = torch.rand(shape, dtype=torch.float64, device=device, generator=generator)
        chunks = counted("grids of codes drawn", numbers.split(CHUNK), n)
        return torch.cat([self._drawn(chunk).to(device) for chunk in chunks])

    def _drawn(self, numbers: Float[Tensor, "n l h w"]) -> Int64[Tensor, "n l h w"]:
        numbers = numbers.to(next(self.network.parameters()).device)
        codes = torch.zeros_like(numbers, dtype=torch.int64)
        for at in range(self.height):
            row, logits = codes[:, :, at : at + 1], self._next_row(codes[:, :, :at])
            for column in range(self.width):
                for level in range(self.network.depth):
                    total = logits(row)[:, level, 0, column].double().softmax(-1).cumsum(-1)
                    passed = (total <= numbers[:, level, at, column, None]).sum(-1)
                    row[:, level, 0, column] = passed.clamp(max=self.network.codes - 1)
        return codes

    def _next_row(self, above: Int64[Tensor, "n l r w"]) -> Callable[[Tensor], Tensor]:
        if isinstance(self.network, DrawsRows):
            return self.network.row(above)
        return lambda row: self.network(torch.cat([above, row], 2))[:, :, -1:]
