r"""Wrapper for a network that takes pixels in [0, 1], as in the first papers on GANs and variational autoencoders.

.. math:: f(x) = g\big( (x + 1) / 2 \big), \qquad x \in [-1, 1]

The first layer could learn the affine map between the two ranges, but training starts from another point, and a
background of -1 instead of 0 changes every gradient: without this wrapper the VAE of pytorch/examples is two nats worse
after seven epochs.
"""

from __future__ import annotations

from typing import cast

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.distributions import Independent

from ganvas.networks.shapes import image_shape
from ganvas.types import Critic, Encoder, Judged, Reads

NAME = "unit_range"


class UnitRange(nn.Module):
    """An encoder or a critic of images in [-1, 1], made from one of images in [0, 1].

    Args:
        network: encoder or critic of images in [0, 1].

    Raises:
        ValueError: the network is for points, which have no range.
    """

    def __init__(self, network: Encoder | Critic) -> None:
        super().__init__()
        self.shape = image_shape(NAME, network.shape)
        self.network = network
        if isinstance(network, Encoder):
            self.latent_dim = network.latent_dim

    def forward(self, x: Float[Tensor, "n c h w"]) -> Independent | Float[Tensor, " n"]:
        """Compute the network's posteriors or scores of images in [-1, 1]."""
        return self.network((x + 1) / 2)

    def read(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score images in [-1, 1] by a critic that shows its features."""
        return cast(Reads, self.network).read((x + 1) / 2, y)
