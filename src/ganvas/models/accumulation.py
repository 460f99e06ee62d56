r"""Gradient accumulation: a batch is worked through in parts, whose gradients are added before the step.

.. math:: \nabla L = \sum_i \frac{n_i}{n} \nabla L_i,

which is the gradient of the whole batch for every loss that is a mean over examples. Batch statistics (batch
normalisation, the mean of a relativistic average) are those of a part.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Shares = list[tuple[float, Mapping[str, Tensor]]]
"""Named terms of the parts of a batch, each with the part's share of the examples."""


def piece(column: Tensor, i: int, parts: int) -> Tensor:
    """Cut one part out of a batch; the last part may be smaller.

    Args:
        column: tensor whose rows belong to the examples.
        i: number of the part, from 0.
        parts: number of parts, at least 1.
    """
    size = -(-len(column) // parts)
    return column if parts == 1 else column[i * size : (i + 1) * size]


def sum_of(said: Shares) -> dict[str, Tensor]:
    """Add the terms of the parts, each weighted by its share.

    Args:
        said: terms of each part; a name has the same meaning in all of them.
    """
    if len(said) == 1:
        return dict(said[0][1])
    return {name: torch.stack([share * terms[name] for share, terms in said]).sum() for name in said[0][1]}
