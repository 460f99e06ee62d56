r"""A masked network: each pair of its outputs depends on the earlier inputs only, and on a context.

.. math:: (a_i, b_i) = g_i(x_1, \dots, x_{i-1}, h).

Inputs have the degrees 1 to d, hidden units degrees from 0 (1 without a context) to d - 1 in turn. A unit is connected
to units of the layer before whose degree is not above its own; the outputs i to units of a degree below i. The context
enters the first hidden layer unmasked. Hidden layers are ELU. The network computes in float32 also where automatic
mixed precision is on, so that a map and its inverse agree.

Reference: Germain et al. 2015 (MADE), equations 8 to 10, https://arxiv.org/abs/1502.03509.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import elu, linear


class MaskedLinear(nn.Module):
    """A linear layer without some of its connections.

    Args:
        mask: 1 for each connection, ``(outputs, inputs)``.
    """

    mask: Tensor

    def __init__(self, mask: Float[Tensor, "o i"]) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.weight = nn.Parameter(torch.empty_like(mask))
        self.bias = nn.Parameter(torch.zeros(len(mask)))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Float[Tensor, "*k i"]) -> Float[Tensor, "*k o"]:
        """Compute the outputs."""
        return linear(x, self.mask * self.weight, self.bias)


class MADE(nn.Module):
    """A network with two outputs for each input.

    Args:
        dim: number d of inputs, at least 1.
        context: number of context values for each example; 0 without.
        hidden: widths of the hidden layers, at least one.

    Raises:
        ValueError: a width below 1, or no hidden layer.
    """

    def __init__(self, dim: int, context: int, hidden: Sequence[int]) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1 or dim < 1:
            raise ValueError(f"hidden: got {list(hidden)} for {dim} latents, expected widths of at least 1, as [256]")
        least = 0 if context else min(1, dim - 1)
        inner = [torch.arange(width) % max(dim - least, 1) + least for width in hidden]
        degrees = [torch.arange(dim) + 1, *inner]
        masks = [(after[:, None] >= before).float() for before, after in itertools.pairwise(degrees)]
        last = (torch.arange(dim)[:, None] + 1 > degrees[-1]).float()
        self.layers = nn.ModuleList(map(MaskedLinear, masks))
        self.context = nn.Linear(context, hidden[0], bias=False) if context else None
        self.output = MaskedLinear(torch.cat([last, last]))

    def forward(
        self, x: Float[Tensor, "*k d"], context: Float[Tensor, "n c"] | None
    ) -> tuple[Float[Tensor, "*k d"], Float[Tensor, "*k d"]]:
        """Compute the two outputs of each input.

        Args:
            x: inputs.
            context: values of each example; None for a network without.
        """
        with torch.autocast(x.device.type, enabled=False):
            first, *others = self.layers
            h = first(x)
            if self.context is not None:
                h = h + self.context(context)
            for layer in others:
                h = layer(elu(h))
            a, b = self.output(elu(h)).chunk(2, dim=-1)
            return a, b
