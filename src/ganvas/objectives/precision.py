"""Losses are computed in at least ``float32``, whatever precision the networks ran in.

Under ``bf16-mixed`` a critic's scores have eight significant bits: enough for their gradient, too few for a mean over
the batch or for a difference of two means.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def widen(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Half precision to ``float32``; ``float32`` and ``float64`` pass unchanged (and uncopied).

    Args:
        x: any floating type.

    Returns:
        The same numbers.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
