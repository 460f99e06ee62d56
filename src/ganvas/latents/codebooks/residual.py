r"""Residual vector quantisation: each codebook quantises what those before it have left.

.. math:: r_0 = z, \qquad c_l = \arg\min_k \|r_{l-1} - e_{l,k}\|, \qquad r_l = r_{l-1} - e_{l,c_l}, \qquad
    \hat z_l = \sum_{i \le l} e_{i,c_i}, \qquad L = \beta \sum_{l=1}^{D} \|z - \mathrm{sg}[\hat z_l]\|^2.

The vectors are averages, as in :class:`~ganvas.latents.codebooks.vq.VQEMA`.

Reference: Zeghidour et al. 2021, algorithm 1, https://arxiv.org/abs/2107.03312; the loss: Lee et al. 2022, section 3.1
(with one codebook for all levels), https://arxiv.org/abs/2203.01941.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.latents.codebooks.quantiser import Quantised, Quantiser, straight_through
from ganvas.latents.codebooks.vq import VQEMA
from ganvas.types import widen


@final
class ResidualVQ(Quantiser):
    r"""Several codebooks, one after the other.

    Args:
        codes: number K of vectors of each codebook, at least 2.
        dim: number of coordinates of a vector, at least 1.
        depth: number D of codebooks, at least 1.
        commitment: :math:`\beta`, at least 0.
        decay: decay of the averages over batches, in [0, 1).
        restart: a code that is used less than this share of 1/K begins anew; in [0, 1), 0 for never.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(self, codes: int, dim: int, depth: int, commitment: float, decay: float, restart: float) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(
                f"quantiser: got depth={depth}, expected at least 1 codebook. Fix: write quantiser.depth=4."
            )
        self.codes, self.dim, self.depth = codes, dim, depth
        self.levels = nn.ModuleList(VQEMA(codes, dim, commitment, decay, restart) for _ in range(depth))

    def forward(self, z: Float[Tensor, "n d h w"]) -> Quantised:
        """See :meth:`Quantiser.forward`."""
        left, codes, commitment = widen(z), [], torch.zeros(len(z), device=z.device)
        for level in self._codebooks():
            said = level(left)
            codes.append(said.codes)
            commitment = commitment + said.terms["commitment"]
            left = left - said.z.detach()
        found = torch.cat(codes, 1)
        return Quantised(straight_through(widen(z), self.embed(found)), found, {"commitment": commitment})

    def embed(self, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n d h w"]:
        """See :meth:`Quantiser.embed`; of fewer levels than there are, the sum of their vectors."""
        parts = zip(self._codebooks(), codes.split(1, 1), strict=False)
        return torch.stack([level.embed(part) for level, part in parts]).sum(0)

    def learn(self, z: Float[Tensor, "n d h w"], codes: Int64[Tensor, "n l h w"]) -> None:
        """See :meth:`Quantiser.learn`.

        Args:
            z: the whole batch that came in.
            codes: the codes that it got.
        """
        left = widen(z)
        for level, part in zip(self._codebooks(), codes.split(1, 1), strict=True):
            before, left = left, left - level.embed(part)
            level.learn(before, part)

    def _codebooks(self) -> Iterator[VQEMA]:
        return (level for level in self.levels if isinstance(level, VQEMA))
