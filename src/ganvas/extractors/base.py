r"""What turns images into the vectors that scores are computed from.

.. math:: (f, \ell) : \{0, \dots, 255\}^{c \times h \times w} \to \mathbb{R}^d \times \mathbb{R}^k

with features :math:`f` for the distances and class logits :math:`\ell` for the Inception Score. Everything between the
``uint8`` image and the network (channels, size, range) belongs to the extractor, is stated in its ``preprocessing``
and is part of every score's protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

Extracted = tuple[Float[Tensor, "n d"], Float[Tensor, "n k"] | None]
"""Features and, where the extractor is a classifier, logits."""


class Extractor(nn.Module, ABC):
    """A frozen network from ``uint8`` images to features and logits.

    It stays in evaluation mode whatever ``train()`` is called on its owner, and its weights take no gradient.

    Attributes:
        name: second part of the score's key, as in ``score/<name>/fd``.
        weights_hash: SHA-256 of the weights.
        preprocessing: all that happens to an image before the network, in words.
        num_features: d, the length of one feature vector.
        num_classes: k, or None where there are no logits.
        revision: raised by every change of code that moves a feature: part of the cache's keys.
    """

    name: str
    weights_hash: str
    preprocessing: str
    num_features: int
    num_classes: int | None
    revision: int = 1

    @abstractmethod
    def check(self, images: Tensor) -> None:
        """Raise ValueError, naming the extractor, the shape and a fix, for a shape that it cannot serve."""

    @abstractmethod
    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Preprocess and run the network; called on images that passed :meth:`check`."""

    @property
    def device(self) -> torch.device:
        """Where the weights are, and so where images are taken to."""
        return next(chain(self.parameters(), self.buffers())).device

    def train(self, mode: bool = True) -> Extractor:
        """Stay in evaluation mode: a score must not depend on who owns the extractor."""
        return super().train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Extracted:
        """Images to features and logits.

        Args:
            images: ``uint8 (n, c, h, w)`` in [0, 255], on any device.

        Returns:
            Features ``float32 (n, d)`` and logits ``float32 (n, k)`` or None, on the extractor's device.

        Raises:
            ValueError: not uint8, not four dimensions, or a shape that this extractor cannot serve.
        """
        if images.dtype != torch.uint8:
            raise ValueError(
                f"images: extractor '{self.name}' expects uint8 in [0, 255], got {images.dtype}; "
                "convert images in [-1, 1] with ganvas.types.to_uint8"
            )
        if images.ndim != 4:
            raise ValueError(
                f"images: extractor '{self.name}' expects shape (n, c, h, w), got {tuple(images.shape)}; "
                "add the missing batch or channel dimension"
            )
        self.check(images)
        return self.extract(images.to(self.device))


class ColourExtractor(Extractor):
    """An extractor of RGB images of any size, to which grey ones are given in three equal channels."""

    @abstractmethod
    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Preprocess and run the network."""

    def check(self, images: Tensor) -> None:
        """Grey or RGB of any size.

        Args:
            images: ``(n, c, h, w)``.

        Raises:
            ValueError: another number of channels.
        """
        if images.shape[1] not in (1, 3):
            raise ValueError(
                f"images: extractor '{self.name}' expects 1 or 3 channels, got {tuple(images.shape)}; "
                "drop an alpha channel, or convert to RGB"
            )

    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Features and, of a classifier, logits of grey or RGB images.

        Args:
            images: ``(n, 1 or 3, h, w)``.

        Returns:
            Features ``(n, d)``, and logits ``(n, k)`` or None.
        """
        return self.extract_rgb(images.expand(-1, 3, -1, -1))
