"""Reading a model's loss terms from its device: one synchronisation for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def read(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Numbers of scalar tensors.

    Args:
        terms: by name, each of one element, all on one device.
    """
    if not terms:
        return {}
    values = torch.stack([term.detach().reshape(()).double() for term in terms.values()]).tolist()
    return dict(zip(terms, values, strict=True))
