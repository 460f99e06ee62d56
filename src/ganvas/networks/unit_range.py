r"""Wrapper for a network that takes pixels in [0, 1], as in the first papers on GANs and variational autoencoders.

.. math:: f(x) = g\big( (x + 1) / 2 \big), \qquad x \in [-1, 1]

The first layer could learn the affine map between the two ranges, but training starts from another point, and a
background of -1 instead of 0 changes every gradient: without this wrapper the VAE of pytorch/examples is two nats worse
after seven epochs.
"""

from __future__ import annotations

from typing import ClassVar, cast

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic, judged
from ganvas.networks.shapes import image_shape
from ganvas.types import Conditional, Critic, Encoder, Judged, NamesPosterior, Posterior, PosteriorFamily

NAME = "unit_range"


class UnitRange(nn.Module):
    """An encoder or a critic of images in [-1, 1], made from one of images in [0, 1].

    Args:
        network: encoder or critic of images in [0, 1].

    Raises:
        ValueError: the network is for points, which have no range.
    """

    zero: ClassVar[float] = -1.0
    """The input that the network reads as 0."""

    def __init__(self, network: Encoder | Critic) -> None:
        super().__init__()
        self.shape = image_shape(NAME, network.shape)
        self.network = network
        if isinstance(network, Encoder):
            self.latent_dim = network.latent_dim
        if isinstance(network, Conditional):
            self.classes = network.classes

    @property
    def output(self) -> nn.Linear:
        """Last layer of the network."""
        return cast(FeatureCritic, self.network).output

    @property
    def posterior(self) -> PosteriorFamily:
        """Family of the posteriors of an encoder that names one."""
        return cast(NamesPosterior, self.network).posterior

    def forward(
        self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None
    ) -> Posterior | Float[Tensor, " n"]:
        """Compute the network's posteriors or scores of images in [-1, 1]; ``y`` is for a conditional network."""
        unit = (x + 1) / 2
        return self.network(unit, y) if isinstance(self.network, Conditional) else self.network(unit)

    def read(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score images in [-1, 1], and return what the critic shows."""
        return judged(self.network, (x + 1) / 2, y)
