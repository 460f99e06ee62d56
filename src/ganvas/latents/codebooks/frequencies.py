r"""A distribution over grids of codes in which all codes are independent, each as frequent as in training at its place.

.. math:: p(c) = \prod_{l,i,j} f_{l,i,j}(c_{l,i,j}), \qquad f \leftarrow \gamma f + (1 - \gamma)\, \hat f,

where :math:`\hat f` are the frequencies in a batch. It knows nothing of the codes beside: a learned prior
(:mod:`ganvas.latents.codebooks.autoregressive`) is better by as many bits as the codes tell of each other.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import one_hot


@final
class CodeFrequencies(nn.Module):
    r"""Independent codes; at the start all are equally frequent.

    Args:
        codes: number K of values of a code, at least 2.
        depth: number of codes at a place, at least 1.
        height: rows of the grid, at least 1.
        width: columns of the grid, at least 1.
        decay: :math:`\gamma` of the average over batches, in [0, 1).

    Raises:
        ValueError: the decay is out of range.
    """

    frequencies: Tensor

    def __init__(self, codes: int, depth: int, height: int, width: int, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(
                f"frequency_decay={decay}: expected a share in [0, 1), that of the frequencies that a batch leaves as "
                "they are. Fix: write model.frequency_decay=0.99."
            )
        self.decay = decay
        self.register_buffer("frequencies", torch.full((depth, height, width, codes), 1.0 / codes))

    @torch.no_grad()
    def observe(self, codes: Int64[Tensor, "n l h w"]) -> None:
        """Update the frequencies.

        Args:
            codes: codes of a whole batch.
        """
        seen = one_hot(codes, self.frequencies.shape[-1]).to(self.frequencies).mean(0)
        self.frequencies.lerp_(seen, 1 - self.decay)

    def log_prob(self, z: Int64[Tensor, "n l h w"]) -> Float[Tensor, " n"]:
        """Compute the log probability of codes, nats; minus infinity for a code that its place never had.

        Args:
            z: grids of codes.
        """
        chosen = self.frequencies.expand(len(z), *self.frequencies.shape).gather(-1, z[..., None])
        return chosen.squeeze(-1).log().sum((1, 2, 3))

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Int64[Tensor, "n l h w"]:
        """Draw ``n`` grids of codes.

        Args:
            n: number of grids.
            device: device of the codes.
            generator: random generator on ``device``; None uses the global one.
        """
        shape = self.frequencies.shape[:-1]
        each = self.frequencies.flatten(0, -2).to(device)
        return torch.multinomial(each, n, replacement=True, generator=generator).T.unflatten(1, shape)
