r"""Standing statistics: moments of batch normalisation, computed anew from batches that the network itself makes.

The moments that training leaves behind belong to weights that moved, not to those that sample, and least of all to
averaged weights. Standing statistics are averages over :math:`N` forward passes of the network in training mode, with
its final weights:

.. math:: \mu = \frac1N \sum_{i=1}^N \mu_i, \qquad \sigma^2 = \frac1N \sum_{i=1}^N \sigma_i^2,

where :math:`\mu_i` and :math:`\sigma_i^2` are the moments of batch :math:`i`. Reference: Brock et al. 2018,
appendix C.1, https://arxiv.org/abs/1809.11096.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STANDING_BATCH: Final = 100
"""Number of generated examples in one batch."""
STANDING_SEED: Final = 0x57A7D
"""Seed of their latents: always the same, so that the statistics are a function of the weights."""

Inputs = tuple[Tensor, Tensor | None]


def normalisations(network: nn.Module) -> list[_BatchNorm]:
    """List the layers of a network that normalise by recorded statistics of batches."""
    return [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]


def with_standing_statistics(
    network: nn.Module, inputs: Iterable[Inputs], call: Callable[[nn.Module, Tensor, Tensor | None], object]
) -> nn.Module:
    """Copy a network and give the copy standing statistics; the network itself does not change.

    Args:
        network: it has layers that normalise batches.
        inputs: latents and classes of each batch.
        call: runs the network on a batch.

    Returns:
        The copy, in evaluation mode.
    """
    standing = copy.deepcopy(network).eval()
    for layer in normalisations(standing):
        layer.reset_running_stats()
        layer.momentum = None  # torch then averages the moments of all batches with equal weights
        layer.train()
    with torch.no_grad():
        for z, y in inputs:
            call(standing, z, y)
    return standing.eval()
