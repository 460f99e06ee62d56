r"""Feature extractors: map images to the vectors from which scores are computed.

.. math:: (f, \ell) : \{0, \dots, 255\}^{c \times h \times w} \to \mathbb{R}^d \times \mathbb{R}^k

with features :math:`f` for the distances and class logits :math:`\ell` for the Inception Score. The extractor
converts the ``uint8`` image to the network's input (channels, size, range); this is described in ``preprocessing`` and
is part of every score's protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

Extracted = tuple[Float[Tensor, "n d"], Float[Tensor, "n k"] | None]
"""Features, and logits if the extractor is a classifier."""


class Extractor(nn.Module, ABC):
    """A frozen network from ``uint8`` images to features and logits.

    It stays in evaluation mode even if ``train()`` is called on a module that contains it, and its weights get no
    gradient.

    Attributes:
        name: second part of the score's key, as in ``score/<name>/fd``.
        weights_hash: SHA-256 of the weights.
        preprocessing: description of every step from the ``uint8`` image to the network's input, and of what else
            the features depend on beside the weights.
        num_features: d, the length of one feature vector.
        num_classes: k, or None if there are no logits.
        revision: part of the cache's keys; increase it with every code change that changes a feature.
    """

    name: str
    weights_hash: str
    preprocessing: str
    num_features: int
    num_classes: int | None
    revision: int = 1

    @abstractmethod
    def check(self, images: Tensor) -> None:
        """Raise ValueError for images of a shape that the extractor cannot read; name extractor, shape and a fix."""

    @abstractmethod
    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Preprocess the images and run the network; the images have passed :meth:`check`."""

    def spatial(self) -> nn.Module | None:
        """Return the layer whose output ``(n, c, h, w)`` shows where features come from; None takes the pixels.

        All features must depend on the image through this layer only.
        """
        return None

    @property
    def device(self) -> torch.device:
        """Device of the weights, to which images are moved."""
        return next(chain(self.parameters(), self.buffers())).device

    def train(self, mode: bool = True) -> Extractor:
        """Stay in evaluation mode, so that a score does not depend on the mode of a containing module."""
        return super().train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Extracted:
        """Compute features and logits of images.

        Args:
            images: ``uint8 (n, c, h, w)`` in [0, 255], on any device.

        Returns:
            Features ``float32 (n, d)`` and logits ``float32 (n, k)`` or None, on the extractor's device.

        Raises:
            ValueError: the images are not uint8, not four-dimensional, or of a shape that this extractor cannot read.
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
    """An extractor of RGB images of any size; grey images are replicated to three channels."""

    @abstractmethod
    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Preprocess the RGB images and run the network."""

    def check(self, images: Tensor) -> None:
        """Accept grey and RGB images of any size.

        Args:
            images: ``(n, c, h, w)``.

        Raises:
            ValueError: the number of channels is neither 1 nor 3.
        """
        if images.shape[1] not in (1, 3):
            raise ValueError(
                f"images: extractor '{self.name}' expects 1 or 3 channels, got {tuple(images.shape)}; "
                "drop an alpha channel, or convert to RGB"
            )

    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Replicate grey images to RGB and run the network.

        Args:
            images: ``(n, 1 or 3, h, w)``.

        Returns:
            Features ``(n, d)``, and logits ``(n, k)`` or None.
        """
        return self.extract_rgb(images.expand(-1, 3, -1, -1))
