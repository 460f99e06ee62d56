r"""A masked network: each pair of its outputs depends on the earlier inputs only, and on a context.

.. math:: (a_i, b_i) = g_i(x_1, \dots, x_{i-1}, h).

Inputs have the degrees 1 to d, hidden units degrees from 0 (1 without a context) to d - 1 in turn. A unit is connected
to units of the layer before whose degree is not above its own; the outputs i to units of a degree below i. The context
enters the first hidden layer unmasked. Hidden layers are ELU. The network computes in float32 also where automatic
mixed precision is on, so that a map and its inverse agree.

Where the inputs are found one after the other, a unit of degree m is known as soon as the first m inputs are. Each
unit is then computed once, in the turn of its degree: all d turns cost as much as one pass of the network.

Reference: Germain et al. 2015 (MADE), equations 8 to 10, https://arxiv.org/abs/1502.03509.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence

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
        for k, layer in enumerate(degrees):
            self.register_buffer(f"order_{k}", layer.argsort(stable=True), persistent=False)
        self._counts = [[int((layer <= m).sum()) for m in range(dim)] for layer in degrees]
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

    def turns(
        self, like: Float[Tensor, "*k d"], context: Float[Tensor, "n c"] | None
    ) -> Generator[tuple[Tensor, Tensor], Float[Tensor, " *k"], None]:
        """Yield the two outputs of each input in its turn; the input is sent before the next turn.

        Args:
            like: any inputs; their number and type count.
            context: values of each example; None for a network without.
        """
        layers: list[MaskedLinear] = [*self.layers, self.output]
        orders = [self.get_buffer(f"order_{k}") for k in range(len(layers))]
        rows = [*orders[1:], torch.arange(2 * like.shape[-1], device=like.device)]
        weights = [layer.weight[o][:, i] for layer, o, i in zip(layers, rows, orders, strict=True)]
        biases = [layer.bias[o] for layer, o in zip(layers, rows, strict=True)]
        shift = None if self.context is None else self.context(context)[..., rows[0]]
        known = [like[..., :0] for _ in layers]
        for m in range(like.shape[-1]):
            for k, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
                units = slice(known[k + 1].shape[-1], self._counts[k + 1][m])
                h = linear(known[k], weight[units, : known[k].shape[-1]], bias[units])
                h = h if k or shift is None else h + shift[..., units]
                known[k + 1] = torch.cat([known[k + 1], elu(h)], -1)
            pair = [m, m + like.shape[-1]]
            a, b = linear(known[-1], weights[-1][pair, : known[-1].shape[-1]], biases[-1][pair]).unbind(-1)
            found = yield a, b
            known[0] = torch.cat([known[0], found[..., None]], -1)
