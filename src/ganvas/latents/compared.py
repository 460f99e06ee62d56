r"""What a critic compares the latents of a batch with: draws of the prior, or the same latents, permuted.

.. math:: z'_i \sim p(z), \qquad \text{or} \qquad z'_{ij} = z_{\pi_j(i) j},

with a random permutation :math:`\pi_j` of the batch for each coordinate. The second kind follows the product of the
marginals, :math:`\bar q(z) = \prod_j q(z_j)`, as far as the batch shows them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import Prior


class Comparison(ABC):
    """Abstract: makes the latents to compare with."""

    @abstractmethod
    def __call__(self, z: Float[Tensor, "n d"], prior: Prior) -> Float[Tensor, "n d"]:
        """Make as many latents as there are.

        Args:
            z: latents of a batch, without a graph.
            prior: their prior.
        """


@final
@dataclass(frozen=True)
class PriorDraws(Comparison):
    """Draws of the prior.

    Reference: Makhzani et al. 2015, section 2, https://arxiv.org/abs/1511.05644
    """

    def __call__(self, z: Float[Tensor, "n d"], prior: Prior) -> Float[Tensor, "n d"]:
        """Draw as many latents from the prior."""
        return prior.sample(len(z), device=z.device)


@final
@dataclass(frozen=True)
class Permuted(Comparison):
    """The same latents, each coordinate permuted over the batch independently of the others.

    Reference: Kim and Mnih 2018, algorithm 1, https://arxiv.org/abs/1802.05983
    """

    def __call__(self, z: Float[Tensor, "n d"], prior: Prior) -> Float[Tensor, "n d"]:
        """Permute the coordinates; the prior is without effect."""
        order = torch.rand(z.shape, device=z.device).argsort(dim=0)
        return z.gather(0, order)
