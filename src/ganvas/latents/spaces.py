"""The spaces of latents, and the point of a space that is nearest to a latent outside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ganvas.types import Prior

_NEAREST: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "reals": lambda z: z,
    "sphere": lambda z: normalize(z, dim=-1),
}


def nearest(prior: Prior, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
    """Move latents to where the prior has a density: to the sphere, or, in other bounded spaces, within its reach.

    Args:
        prior: distribution of the latents.
        z: latents.
    """
    move = _NEAREST.get(prior.space)
    return z.clamp(-prior.reach, prior.reach) if move is None else move(z)
