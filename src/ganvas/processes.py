"""Averages over the processes of a training, for state that all of them must share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def over_processes(value: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Average a number over all processes of the training; return it without a graph.

    Args:
        value: the number of this process.
    """
    value = value.detach()
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    total = value.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()
