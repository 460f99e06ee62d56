"""Ways through the latents for a traversal: a coordinate goes through its range, a code through its categories."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from ganvas.types import HasCodes, Prior


def ways(prior: Prior) -> dict[str, slice]:
    """Return the coordinates that move together, by name: ``z3`` for a coordinate, ``c0`` for a one-hot code.

    Args:
        prior: distribution of the latents.
    """
    codes = prior.one_hot if isinstance(prior, HasCodes) else ()
    taken = {i for code in codes for i in range(code.start, code.stop)}
    single = {f"z{i}": slice(i, i + 1) for i in range(prior.dim) if i not in taken}
    return single | {f"c{i}": code for i, code in enumerate(codes)}


def along(prior: Prior, start: Float[Tensor, " d"], way: slice, steps: int) -> Float[Tensor, "k d"]:
    """Move a latent along one way, with all other coordinates fixed.

    Args:
        prior: distribution of the latents.
        start: the latent.
        way: one of :func:`ways`.
        steps: number of latents; a code begins anew after its last category.
    """
    z = start.repeat(steps, 1)
    count = way.stop - way.start
    if count == 1:
        z[:, way.start] = torch.linspace(-prior.reach, prior.reach, steps)
    else:
        z[:, way] = one_hot(torch.arange(steps) % count, count).to(z)
    return z
