r"""Extractors whose images are prepared by Pillow, as the networks' authors and dgm-eval prepare them.

.. math:: f = \mathrm{network} \Big( \frac{\mathrm{crop}(\mathrm{resize}(u)) / 255 - \mathrm{mean}}{\mathrm{std}} \Big)

Pillow's filters widen when an image shrinks (antialias), and round to whole grey levels after each direction.

Reference: Stein et al. 2023, https://arxiv.org/abs/2306.04675; code: https://github.com/layer6ai-labs/dgm-eval.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as pictures

from ganvas.extractors.base import ColourExtractor, Extracted
from ganvas.extractors.checksum import state_sha256
from ganvas.extractors.fidelity import FAMILIES
from ganvas.extractors.published import load_strictly
from ganvas.extractors.resize import RESIZES, RGB, Resize, resize_called

FILTERS: Final = ("bicubic", "bilinear")
HALF: Final = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation that give [-1, 1]."""
_TAKEN: Final = ("inception", "inception_spatial", "mnist", "cifar10", *FAMILIES)


@final
@dataclass(frozen=True)
class Preparation:
    """The steps from RGB images of any size to the input of a network.

    Args:
        resize: pixels of the shorter side after the resize, or of both sides with ``stretch``.
        size: side of the square that is cut out of the middle, pixels, at most ``resize``.
        stretch: whether an image that is not square is stretched to a square.
        interpolation: ``bicubic`` or ``bilinear``.
        mean: subtracted after division by 255; one number for each channel.
        std: divisor after the subtraction; one number for each channel, above 0.

    Raises:
        ValueError: a size or a filter is out of range.
    """

    resize: int
    size: int
    stretch: bool
    interpolation: str
    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.resize:
            raise ValueError(
                f"extractor.size={self.size}, extractor.resize={self.resize}: expected 1 <= size <= resize; write "
                f"extractor.resize={max(self.size, 1)}"
            )
        if self.interpolation not in FILTERS:
            raise ValueError(
                f"interpolation={self.interpolation}: expected {' or '.join(FILTERS)}; choose a network that was "
                "trained with one of them"
            )

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 size size"]:
        """Prepare images on the CPU."""
        mean, std = (torch.tensor(list(numbers)).view(3, 1, 1) for numbers in (self.mean, self.std))
        arrays = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return torch.stack([(self._picture(array) / 255 - mean) / std for array in arrays])

    def _picture(self, array: np.ndarray) -> Tensor:
        sides = [self.resize, self.resize] if self.stretch else [self.resize]
        picture = pictures.resize(Image.fromarray(array), sides, InterpolationMode(self.interpolation))
        return torch.from_numpy(np.array(pictures.center_crop(picture, [self.size, self.size]))).permute(2, 0, 1)

    def describe(self) -> str:
        """Describe the steps, for a protocol."""
        sides = f"{self.resize}x{self.resize}" if self.stretch else f"shorter side {self.resize}"
        crop = "" if self.stretch and self.size == self.resize else f"; middle {self.size}x{self.size}"
        return (
            f"{RGB}; Pillow's {self.interpolation} to {sides}{crop}; (u / 255 - {list(self.mean)}) / {list(self.std)}"
        )


@final
@dataclass(frozen=True)
class Stretched:
    """The steps from RGB images of any size to the input of a network, with the resize of another tool.

    The whole image is stretched to the square, and nothing is cut off.

    Args:
        resize: the resize.
        size: side of the square, pixels.
        mean: see :class:`Preparation`.
        std: see :class:`Preparation`.
    """

    resize: Resize
    size: int
    mean: Sequence[float]
    std: Sequence[float]

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 size size"]:
        """Prepare images on their device."""
        mean, std = (torch.tensor(list(x), device=images.device).view(3, 1, 1) for x in (self.mean, self.std))
        return (self.resize(images.float(), self.size) / 255 - mean) / std

    def describe(self) -> str:
        """Describe the steps, for a protocol."""
        return f"{RGB}; {self.resize.how.format(self.size)}; (u / 255 - {list(self.mean)}) / {list(self.std)}"


def prepared_by(resizer: str, own: Preparation) -> Preparation | Stretched:
    """Choose the steps before a network.

    Args:
        resizer: ``pillow`` for the steps of the network's authors, or another name of a way to resize.
        own: the steps of the network's authors.

    Raises:
        ValueError: there is no such way to resize.
    """
    resize = resize_called(resizer)
    return own if resize is RESIZES["pillow"] else Stretched(resize, own.size, own.mean, own.std)


def require_free(name: str) -> str:
    """Return the name of an extractor, if it can be part of its scores' keys and is not that of another class.

    Args:
        name: lower-case letters, digits, dashes and underscores.

    Raises:
        ValueError: other signs, or a name under which other features are scored.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or name in _TAKEN:
        raise ValueError(
            f"extractor.name={name}: expected lower-case letters, digits, dashes and underscores, and none of "
            f"{', '.join(_TAKEN)}; choose another name, which becomes part of the scores' keys"
        )
    return name


class PictureExtractor(ColourExtractor, ABC):
    """An extractor of one network without class logits, whose images are prepared by Pillow or as :class:`Stretched`.

    Attributes:
        network: the network with its weights.
        preparation: the steps before it.
    """

    num_classes = None
    network: Any
    preparation: Preparation | Stretched

    def take_weights(self, state: Mapping[str, Any], path: Path, what: str) -> None:
        """Give the network its published weights, freeze it, and hash them; arguments as of :func:`load_strictly`."""
        load_strictly(self.network, state, path, what)
        self.network.requires_grad_(False).eval()
        self.weights_hash = state_sha256(self.network)

    @abstractmethod
    def features(self, x: Float[Tensor, "n 3 size size"]) -> Float[Tensor, "n d"]:
        """Compute the features of prepared images."""

    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Prepare the images and compute their features ``(n, d)``; there are no logits."""
        return self.features(self.preparation(images).to(self.device)), None
