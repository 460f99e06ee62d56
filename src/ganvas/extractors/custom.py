r"""A user's own extractor: an importable module, or a TorchScript or ONNX file.

.. math:: f = \mathrm{module} \Big( \frac{\mathrm{resize}(u) / 255 - \mathrm{mean}}{\mathrm{std}} \Big)

where the module returns features ``(n, d)``, or a pair of features and class logits ``(n, k)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, final

import torch
from jaxtyping import UInt8
from torch import Tensor

from ganvas.extractors.base import Extracted, Extractor
from ganvas.extractors.fidelity import FAMILIES
from ganvas.extractors.modules import load_module
from ganvas.extractors.resize import RGB, resize_called

_PUBLISHED: Final = ("convnext", "data2vec", "mae", "simclr", "swav", "swin")
_TAKEN: Final = ("inception", "mnist", "cifar10", *FAMILIES, *_PUBLISHED)


@final
class CustomExtractor(Extractor):
    """A user's network behind the common preprocessing.

    Args:
        name: part of the scores' keys, ``score/<name>/fd``: lower-case letters, digits, dashes; not the name of a
            shipped extractor.
        module: importable path of a class or function that is called without arguments and returns the module, or path
            of a TorchScript (``.pt``, ``.ts``) or ONNX (``.onnx``) file.
        size: side of the module's square input images, in pixels.
        channels: 1 (grey images only) or 3 (grey is replicated).
        mean: subtracted after division by 255; one number for each channel.
        std: divisor after the subtraction; one number for each channel, above 0.
        resizer: name of a way to resize in :mod:`ganvas.extractors.resize`.

    Raises:
        ValueError: an argument is out of range, the module does not exist, or it does not return features.
    """

    mean: Tensor
    std: Tensor

    # Configs recorded before there were resizers lack the last argument, and mean TensorFlow's.
    def __init__(
        self,
        name: str,
        module: str,
        size: int,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        resizer: str = "tensorflow",
    ) -> None:
        super().__init__()
        _check_arguments(name, size, channels, mean, std)
        self._given = (name, module, size, channels, tuple(mean), tuple(std), resizer)
        self.resize = resize_called(resizer)
        self.name, self.size, self.channels = name, size, channels
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.module, self.weights_hash = load_module(module)
        self.requires_grad_(False).train(False)
        self.preprocessing = (
            f"{RGB if channels == 3 else 'grey'}; {self.resize.how.format(size)}; "
            f"(u / 255 - {list(mean)}) / {list(std)}; {module}"
        )
        self.num_features, self.num_classes = self._widths()

    def __reduce__(self) -> tuple[type[CustomExtractor], tuple[Any, ...]]:
        """Load the network anew in another process: one from a file cannot be sent."""
        return CustomExtractor, self._given

    def check(self, images: Tensor) -> None:
        """Accept grey images of any size, and RGB images if the module takes three channels.

        Args:
            images: ``(n, c, h, w)``.

        Raises:
            ValueError: the number of channels is not accepted.
        """
        if images.shape[1] not in (1, self.channels):
            raise ValueError(
                f"images: extractor '{self.name}' expects {'1' if self.channels == 1 else '1 or 3'} channels, "
                f"got {tuple(images.shape)}; convert the images, or use a module with channels={images.shape[1]}"
            )

    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Preprocess the images, run the module, and check its output.

        Args:
            images: ``(n, 1 or channels, h, w)``.

        Returns:
            Features ``(n, d)``, and logits ``(n, k)`` or None.

        Raises:
            ValueError: the module returns neither features nor a pair of features and logits.
        """
        x = self.resize(images.expand(-1, self.channels, -1, -1).float(), self.size)
        return _pair(self.name, self.module((x / 255 - self.mean) / self.std), len(images))

    def _widths(self) -> tuple[int, int | None]:
        """Number of features and number of classes, found by running two images."""
        values, logits = self(torch.zeros(2, self.channels, self.size, self.size, dtype=torch.uint8))
        return values.shape[1], None if logits is None else logits.shape[1]


def _pair(name: str, out: object, n: int) -> Extracted:
    """Split a module's output into features and logits."""
    parts: list[Any] = list(out) if isinstance(out, (tuple, list)) else [out]
    good = [isinstance(x, Tensor) and x.ndim == 2 and len(x) == n and x.is_floating_point() for x in parts]
    if len(parts) not in (1, 2) or not all(good):
        shapes = [tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in parts]
        raise ValueError(
            f"module: '{name}' must return float features (n, d), or a pair of features and logits (n, k), got "
            f"{shapes} for n={n}; flatten or pool inside the module"
        )
    return parts[0], parts[1] if len(parts) == 2 else None


def _check_arguments(name: str, size: int, channels: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or name in _TAKEN:
        raise ValueError(
            f"name: expected lower-case letters, digits and dashes, and none of {', '.join(_TAKEN)}, got '{name}'; "
            "choose another name, which becomes part of the scores' keys"
        )
    if size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}; write the side the module was trained with")
    if channels not in (1, 3):
        raise ValueError(f"channels: expected 1 or 3, got {channels}; write what the module was trained with")
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise ValueError(
            f"mean, std: expected {channels} numbers each, std above 0, got {list(mean)} and {list(std)}; "
            f"{[0.5] * channels} for both gives [-1, 1]"
        )
