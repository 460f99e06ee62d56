r"""The base of augmentations: a random, differentiable transformation of each example before the critic sees it.

.. math:: L_D = f(D(T(x))) + g(D(T(G(z)))), \qquad L_G = h(D(T(G(z)))).

Real and generated examples are transformed alike, in the critic's update and in the generator's. The generator then
learns the distribution of the data and not that of the transformed data, as long as the transformation does not hide
which distribution it was applied to (Karras et al. 2020, section 2.2, https://arxiv.org/abs/2006.06676; Zhao et al.
2020, section 3, https://arxiv.org/abs/2006.10738). Every augmentation is twice differentiable in the examples, so that
gradient penalties can be taken through it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ganvas.augment.strength import Strength
from ganvas.types import Shape, widen


class Augmentation(ABC):
    """Abstract: transforms examples; random numbers come from the global generator of their device.

    Attributes:
        p: how strong the augmentation is, 0 or more; the examples stay as they are at 0.
    """

    p: float

    @abstractmethod
    def __call__(self, x: Float[Tensor, " n *shape"], p: float | Float[Tensor, ""]) -> Float[Tensor, " n *shape"]:
        """Transform each example by itself.

        Args:
            x: images in [-1, 1], or points.
            p: takes the place of the field ``p``, which a schedule or a :class:`Strength` may have moved.

        Returns:
            Examples of the same shape and type; a transformation may take images out of [-1, 1].
        """

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Check that the augmentation suits the data.

        Args:
            shape: shape of one example.

        Raises:
            ValueError: it does not.
        """

    def strength(self) -> Strength | None:
        """Make what moves ``p`` in training by the critic's scores; None for a ``p`` that does not depend on them."""
        return None


@dataclass(frozen=True)
class ImageAugmentation(Augmentation):
    """Abstract: an augmentation of images, of any size and number of channels.

    Args:
        p: probability of each transformation, in [0, 1].

    Raises:
        ValueError: ``p`` is not a probability.
    """

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p: got {self.p!r}, expected a probability in [0, 1]. Use 1, or augment=none for none.")

    def __call__(self, x: Float[Tensor, " n *shape"], p: float | Float[Tensor, ""]) -> Float[Tensor, " n *shape"]:
        """Transform each image in at least ``float32``."""
        self.check(tuple(x.shape[1:]))
        with torch.autocast(x.device.type, enabled=False):
            return self.transform(widen(x), p).to(x.dtype)

    @abstractmethod
    def transform(self, x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]) -> Float[Tensor, "n c h w"]:
        """Transform each image; the arguments are those of a call."""

    def check(self, shape: Shape) -> None:
        """Check that the data are images."""
        if len(shape) != 3:
            raise ValueError(
                f"{type(self).__name__} transforms images, got examples of shape {tuple(shape)}; "
                "write augment=none or augment=instance_noise for points"
            )


def chosen(x: Float[Tensor, " n *shape"], p: float | Float[Tensor, ""]) -> Bool[Tensor, " n"]:
    """Choose each example with probability ``p``.

    Args:
        x: the examples; their number and device count.
        p: probability.
    """
    return torch.rand(len(x), device=x.device) < p
