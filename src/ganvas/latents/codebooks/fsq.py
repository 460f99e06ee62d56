r"""Finite scalar quantisation: each coordinate is bounded and rounded, so that a vector is one of a fixed grid.

.. math:: f(z) = \tanh(z + s)\, h - o, \qquad h = \tfrac12 (L - 1)(1 - \epsilon), \qquad
    \hat z = \frac{\mathrm{round}(f(z))}{\lfloor L / 2 \rfloor},

with :math:`o = 1/2` and :math:`s = \tan(o / h)` for an even number of levels :math:`L`, both 0 for an odd one. A
coordinate takes the L values from -1 to 1, of an even L without the last. The code is the number of the vector, by its
digits:

.. math:: c = \sum_i \Bigl(\mathrm{round}(f(z_i)) + \lfloor L_i / 2 \rfloor\Bigr) \prod_{j < i} L_j, \qquad
    K = \prod_i L_i.

There is no codebook to learn, and no loss. Reference: Mentzer et al. 2023, section 3.1 and appendix A.1 (whose
:math:`\epsilon` and tangent these are), https://arxiv.org/abs/2309.15505.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, tan
from typing import Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.latents.codebooks.quantiser import Quantised, Quantiser, straight_through
from ganvas.types import widen

EPSILON: Final = 1e-3


@final
class FSQ(Quantiser):
    """A fixed grid of vectors.

    Args:
        levels: number of values of each coordinate, at least 2 each; [8, 5, 5, 5] makes 1,000 codes.

    Raises:
        ValueError: no coordinate, or fewer than 2 levels.
    """

    height: Tensor
    offset: Tensor
    shift: Tensor
    middle: Tensor
    basis: Tensor
    levels: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(
                f"quantiser: got levels={list(levels)}, expected at least 2 for each coordinate. Fix: write "
                "quantiser.levels=[8,5,5,5]."
            )
        self.dim, self.codes, self.depth = len(levels), prod(levels), 1
        heights = [(level - 1) * (1 - EPSILON) / 2 for level in levels]
        offsets = [0.5 if level % 2 == 0 else 0.0 for level in levels]
        shifts = [tan(offset / height) for offset, height in zip(offsets, heights, strict=True)]
        basis = [prod(levels[:i]) for i in range(len(levels))]
        for name, numbers in {"height": heights, "offset": offsets, "shift": shifts}.items():
            self.register_buffer(name, torch.tensor(numbers)[:, None, None], persistent=False)
        for name, counts in {"middle": [level // 2 for level in levels], "basis": basis, "levels": levels}.items():
            self.register_buffer(name, torch.tensor(counts)[:, None, None], persistent=False)

    def bound(self, z: Float[Tensor, "n d h w"]) -> Float[Tensor, "n d h w"]:
        """Bound each coordinate to an interval that rounds to its levels.

        Args:
            z: grid of vectors.
        """
        return (widen(z) + self.shift).tanh() * self.height - self.offset

    def forward(self, z: Float[Tensor, "n d h w"]) -> Quantised:
        """See :meth:`Quantiser.forward`; the gradient is that of the bounded coordinates."""
        bounded = self.bound(z)
        rounded = bounded.detach().round()
        digits = rounded.long() + self.middle
        codes = (digits * self.basis).sum(1, keepdim=True)
        return Quantised(straight_through(bounded, rounded) / self.middle, codes, {})

    def embed(self, codes: Int64[Tensor, "n 1 h w"]) -> Float[Tensor, "n d h w"]:
        """See :meth:`Quantiser.embed`."""
        digits = codes // self.basis % self.levels
        return (digits - self.middle) / self.middle

    def learn(self, z: Float[Tensor, "n d h w"], codes: Int64[Tensor, "n 1 h w"]) -> None:
        """Do nothing: the grid is fixed.

        Args:
            z: not read.
            codes: not read.
        """
