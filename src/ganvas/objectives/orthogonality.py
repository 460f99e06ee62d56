r"""How far the filters of a network are from being orthogonal to each other.

.. math:: \sum_W \| W W^\top \odot (1 - I) \|_F^2,

over the weights of linear and convolutional layers, with one filter in each row of :math:`W`. The norms of the filters
are left free, as only entries off the diagonal count. In a layer with spectral normalisation, :math:`W` is the weight
before it.

Reference: Brock et al. 2018, eq. 3, https://arxiv.org/abs/1809.11096, where filters stand in columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.parametrize import is_parametrized

from ganvas.objectives.validation import require
from ganvas.types import widen


def require_filters(network: nn.Module, argument: str) -> None:
    """Refuse a network without linear and convolutional layers.

    Args:
        network: the network.
        argument: its name in the message.

    Raises:
        ValueError: it has none.
    """
    require(
        next(_filters(network), None) is not None,
        argument,
        type(network).__name__,
        "a network with linear or convolutional layers",
        "Choose another network, or write none in place of orthogonal.",
    )


def overlap(network: nn.Module) -> Float[Tensor, ""]:
    """Compute the sum of squared inner products of different filters, over all layers, in at least ``float32``."""
    total: Tensor | float = 0.0
    for rows in _filters(network):
        with torch.autocast(rows.device.type, enabled=False):
            gram = widen(rows) @ widen(rows).mT
        total = total + (gram - gram.diagonal().diag_embed()).square().sum()
    return torch.as_tensor(total)


def _filters(network: nn.Module) -> Iterator[Float[Tensor, "filters d"]]:
    """Yield each layer's weight with one filter in each row."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, _ConvNd)):
            held: Any = layer
            raw: Tensor = held.parametrizations.weight.original if is_parametrized(layer, "weight") else held.weight
            yield (raw.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else raw).flatten(1)
