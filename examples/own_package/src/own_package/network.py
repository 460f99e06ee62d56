"""A generator and a critic of one hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn


class Generator(nn.Module):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: of one image.
        latent_dim: dimension of the latent.
        width: of the hidden layer.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, width: int) -> None:
        super().__init__()
        self.shape, self.latent_dim = tuple(shape), latent_dim
        self.body = nn.Sequential(
            nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, prod(self.shape)), nn.Tanh()
        )

    def forward(self, z: Tensor) -> Tensor:
        """Generate images from latents."""
        return self.body(z).unflatten(1, self.shape)


class Critic(nn.Module):
    """Critic with one score for each image.

    Args:
        shape: of one image.
        width: of the hidden layer.
    """

    def __init__(self, shape: Sequence[int], width: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.body = nn.Sequential(nn.Linear(prod(self.shape), width), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Score images."""
        return self.body(x.flatten(1)).squeeze(1)
