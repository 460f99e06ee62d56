r"""Vector quantisation: a place gets the code whose vector is the nearest.

.. math:: c = \arg\min_k \|z - e_k\|_2, \qquad
    L = \|\mathrm{sg}[z] - e_c\|^2 + \beta\, \|z - \mathrm{sg}[e_c]\|^2,

where sg stops the gradient: the first term moves the codebook, the second commits the encoder to it. :class:`VQEMA` has
no first term. Its vectors are averages of what they stand for, with the numbers :math:`n_k` and sums :math:`s_k` of the
vectors of a batch that got code k,

.. math:: N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \qquad m_k \leftarrow \gamma m_k + (1 - \gamma)\, s_k, \qquad
    e_k = m_k / N_k.

Reference: van den Oord et al. 2017, equations 2 and 3, and 6 to 8 of appendix A.1, https://arxiv.org/abs/1711.00937.
The losses are sums over coordinates and places, as the reconstruction is a sum over pixels; the paper averages over
places.

A code that is hardly used begins anew at a vector of the batch, as in Dhariwal et al. 2020, section 3.1
(https://arxiv.org/abs/2005.00341). There the vector is any; here, as in the seeding of k-means++, it is drawn with a
probability proportional to its squared distance from its code, because images with a plain background have the same
vector at many places, and a second code there would not be used either. Reference: Arthur and Vassilvitskii 2007,
section 2.2, https://dl.acm.org/doi/10.5555/1283383.1283494.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ganvas.latents.codebooks.quantiser import Quantised, Quantiser, straight_through
from ganvas.types import widen


class Codebook(Quantiser, ABC):
    r"""Abstract: a list of vectors, of which the nearest is taken.

    Args:
        codes: number K of vectors, at least 2.
        dim: number of coordinates of a vector, at least 1.
        commitment: :math:`\beta`, at least 0; 0.25 in the paper.
        decay: :math:`\gamma` of the averages over batches, in [0, 1); 0.99 in the paper.
        restart: a code that is used less than this share of 1/K begins anew; in [0, 1), 0 for never.

    Raises:
        ValueError: a number out of range.
    """

    usage: Tensor
    updates: Tensor
    vectors: Tensor

    def __init__(self, codes: int, dim: int, commitment: float, decay: float, restart: float) -> None:
        super().__init__()
        if codes < 2 or dim < 1 or commitment < 0 or not 0 <= decay < 1 or not 0 <= restart < 1:
            raise ValueError(
                f"quantiser: got codes={codes}, dim={dim}, commitment={commitment}, decay={decay}, restart={restart}; "
                "expected at least 2, at least 1, at least 0, and two shares in [0, 1). Fix: write "
                "quantiser.codes=128 quantiser.dim=16 quantiser.commitment=0.25 quantiser.decay=0.99 "
                "quantiser.restart=0.03"
            )
        self.codes, self.dim, self.depth = codes, dim, 1
        self.commitment, self.decay, self.restart = commitment, decay, restart
        self.register_buffer("usage", torch.zeros(codes))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @abstractmethod
    def losses(
        self, z: Float[Tensor, "n d h w"], vectors: Float[Tensor, "n d h w"]
    ) -> Mapping[str, Float[Tensor, " n"]]:
        """Compute the losses of each image, by name."""

    @abstractmethod
    def move(self, z: Float[Tensor, "m d"], codes: Int64[Tensor, " m"]) -> None:
        """Move the vectors towards those that got their codes, if no gradient does; the usage is up to date."""

    @abstractmethod
    def place(self, chosen: Bool[Tensor, " k"], z: Float[Tensor, "r d"]) -> None:
        """Put the chosen vectors elsewhere."""

    @final
    def nearest(self, z: Float[Tensor, "n d h w"]) -> Int64[Tensor, "n 1 h w"]:
        """Find the code of the nearest vector for each place.

        Args:
            z: grid of vectors.
        """
        rows = _rows(z.detach())
        with torch.autocast(z.device.type, enabled=False):  # half precision would confuse neighbours
            vectors = widen(self.vectors.detach())
            found = (vectors.square().sum(1) - 2 * rows @ vectors.T).argmin(1)
        return found.unflatten(0, (len(z), 1, *z.shape[2:]))

    def forward(self, z: Float[Tensor, "n d h w"]) -> Quantised:
        """See :meth:`Quantiser.forward`."""
        codes = self.nearest(z)
        vectors = self.embed(codes)
        return Quantised(straight_through(widen(z), vectors), codes, self.losses(widen(z), vectors))

    @final
    def embed(self, codes: Int64[Tensor, "n 1 h w"]) -> Float[Tensor, "n d h w"]:
        """See :meth:`Quantiser.embed`."""
        return self.vectors[codes[:, 0]].movedim(-1, 1)

    @final
    @torch.no_grad()
    def learn(self, z: Float[Tensor, "n d h w"], codes: Int64[Tensor, "n 1 h w"]) -> None:
        """Count the codes, move their vectors, and begin those anew that are hardly used.

        Args:
            z: the whole batch that came in.
            codes: the codes that it got.
        """
        rows, found = _rows(z), codes.flatten()
        distance = (rows - widen(self.vectors)[found]).square().sum(1)
        self.updates += 1
        self.usage.lerp_(found.bincount(minlength=self.codes).to(self.usage), 1 - self.decay)
        self.move(rows, found)
        dead = self.usage < self.restart * self.usage.mean()
        self.usage[dead] = self.usage.mean()
        self.place(dead, rows[self._badly_served(distance, int(dead.sum()))])

    def _badly_served(self, distance: Float[Tensor, " m"], n: int) -> Int64[Tensor, " r"]:
        """Draw positions with probability proportional to the distance, each at most once while there are enough."""
        # Not the global generator: the draws are a function of the number of updates, and the same in all processes.
        generator = torch.Generator().manual_seed(int(self.updates))
        # The first to arrive of exponential waiting times are draws without replacement; a distance of 0 never arrives.
        waiting = torch.empty(len(distance)).exponential_(generator=generator).to(distance) / distance
        first = waiting.argsort(stable=True)[:n]
        return first[torch.arange(n, device=first.device) % max(1, len(first))]


@final
class VQ(Codebook):
    """A codebook that is learned by its own loss; the arguments are those of :class:`Codebook`.

    The vectors start uniform on [-1/K, 1/K].
    """

    def __init__(self, codes: int, dim: int, commitment: float, decay: float, restart: float) -> None:
        super().__init__(codes, dim, commitment, decay, restart)
        self.vectors = nn.Parameter((2 * torch.rand(codes, dim) - 1) / codes)

    def losses(
        self, z: Float[Tensor, "n d h w"], vectors: Float[Tensor, "n d h w"]
    ) -> Mapping[str, Float[Tensor, " n"]]:
        """Compute both losses."""
        return {
            "codebook": squared_distance(z.detach(), vectors),
            "commitment": self.commitment * squared_distance(z, vectors.detach()),
        }

    def move(self, z: Float[Tensor, "m d"], codes: Int64[Tensor, " m"]) -> None:
        """Do nothing: the loss moves the vectors."""

    def place(self, chosen: Bool[Tensor, " k"], z: Float[Tensor, "r d"]) -> None:
        """See :meth:`Codebook.place`."""
        self.vectors[chosen] = z.to(self.vectors)


@final
class VQEMA(Codebook):
    """A codebook of moving averages; the arguments are those of :class:`Codebook`.

    The vectors start uniform on [-1/K, 1/K], the averages at 0: the first use of a code gives it the mean of its batch.
    """

    sums: Tensor

    def __init__(self, codes: int, dim: int, commitment: float, decay: float, restart: float) -> None:
        super().__init__(codes, dim, commitment, decay, restart)
        self.register_buffer("vectors", (2 * torch.rand(codes, dim) - 1) / codes)
        self.register_buffer("sums", torch.zeros(codes, dim))

    def losses(
        self, z: Float[Tensor, "n d h w"], vectors: Float[Tensor, "n d h w"]
    ) -> Mapping[str, Float[Tensor, " n"]]:
        """Compute the commitment."""
        return {"commitment": self.commitment * squared_distance(z, vectors)}

    def move(self, z: Float[Tensor, "m d"], codes: Int64[Tensor, " m"]) -> None:
        """Update the averages; a code that was never used, or not for so long that its count is 0, stays in place."""
        batch = torch.zeros_like(self.sums).index_add_(0, codes, z.to(self.sums))
        self.sums.lerp_(batch, 1 - self.decay)
        used = self.usage > torch.finfo(self.usage.dtype).tiny
        self.vectors[used] = self.sums[used] / self.usage[used, None]

    def place(self, chosen: Bool[Tensor, " k"], z: Float[Tensor, "r d"]) -> None:
        """See :meth:`Codebook.place`."""
        self.vectors[chosen] = z.to(self.vectors)
        self.sums[chosen] = self.vectors[chosen] * self.usage[chosen, None]


def squared_distance(a: Float[Tensor, "n d h w"], b: Float[Tensor, "n d h w"]) -> Float[Tensor, " n"]:
    """Sum the squared differences of each image.

    Args:
        a: one grid.
        b: the other.
    """
    return (a - b).square().sum((1, 2, 3))


def _rows(z: Float[Tensor, "n d h w"]) -> Float[Tensor, "m d"]:
    """List the vectors of all places."""
    return widen(z).movedim(1, -1).flatten(0, -2)
