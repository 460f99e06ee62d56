r"""Corruptions of images: linear maps with noise, :math:`y = A x + \sigma \epsilon`, that a model is asked to undo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d


class Corruption(ABC):
    r"""Abstract: a corruption.

    Attributes:
        noise: :math:`\sigma`, standard deviation of the noise in units of an image in [-1, 1].
    """

    noise: float = 0.0

    @abstractmethod
    def apply(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Apply the linear map; gradients flow through it."""

    def shown(self, observed: Float[Tensor, "n c h2 w2"], like: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Show observations as images of the size of ``like``."""
        return observed

    def observe(self, x: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h2 w2"]:
        """Corrupt images; the noise is drawn from ``generator``, on the CPU."""
        seen = self.apply(x)
        return seen + self.noise * torch.randn(seen.shape, generator=generator).to(seen)


@final
class Nothing(Corruption):
    """No corruption: the whole image is seen."""

    def apply(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the images."""
        return x


@final
@dataclass(frozen=True)
class Noise(Corruption):
    """Gaussian noise.

    Args:
        noise: standard deviation, positive.
    """

    noise: float

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise ValueError(f"restore.noise={self.noise}: expected a number above 0; write restore.noise=0.5")

    def apply(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the images."""
        return x


@final
@dataclass(frozen=True)
class Hole(Corruption):
    """A grey rectangle in the middle hides what is behind it.

    Args:
        share: sides of the rectangle as a share of the image's, in (0, 1).
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"restore.hole={self.share}: expected a number between 0 and 1; write restore.hole=0.5")

    def apply(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Set the rectangle to 0, which is grey."""
        mask = torch.ones_like(x[:1, :1])
        height, width = (max(1, round(self.share * side)) for side in x.shape[-2:])
        top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
        mask[..., top : top + height, left : left + width] = 0
        return x * mask


@final
@dataclass(frozen=True)
class Coarse(Corruption):
    """Fewer pixels: each is the mean of a square.

    Args:
        factor: side of the square in pixels, at least 2.
    """

    factor: int

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise ValueError(f"restore.factor={self.factor}: expected at least 2 pixels; write restore.factor=4")

    def apply(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Average the squares; one at the border may be smaller."""
        return avg_pool2d(x, self.factor, ceil_mode=True)

    def shown(self, observed: Float[Tensor, "n c h2 w2"], like: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Repeat each pixel."""
        large = observed.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)
        return large[..., : like.shape[-2], : like.shape[-1]]
