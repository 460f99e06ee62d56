r"""Ways from an image to the input of the 2015 Inception, 299x299 in about [-1, 1], each as a tool does it.

.. math:: x = (r(u) - 128) / 128 \quad\text{or}\quad x = 2\, r(u / 255) - 1

where the tools differ in :math:`r`, the resize, and pytorch-fid also in the range. A score depends on both.

Reference: Parmar et al. 2022, https://arxiv.org/abs/2104.11222; the code that each class names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.extractors.resize import TF1_GRID, tf1_resize

SIZE: Final = 299
RGB: Final = "grey replicated to RGB"
RANGE: Final = "(u - 128) / 128"


class Resizer(ABC):
    """A preprocessing of the 2015 Inception.

    Attributes:
        name: what ``extractor.resizer`` calls it.
        tools: tools that preprocess so.
        preprocessing: description of every step, part of a score's protocol.
    """

    name: str
    tools: str
    preprocessing: str

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """Resize images in [0, 255], and scale them to about [-1, 1]."""


@final
class TensorFlow(Resizer):
    """TensorFlow 1's bilinear resize, which the graph of 2015 itself does.

    Reference: ``FeatureExtractorInceptionV3.forward`` in ``torch_fidelity/feature_extractor_inceptionv3.py``,
    https://github.com/toshas/torch-fidelity at 5e211a9. The detector of StyleGAN and EDM computes the same numbers by
    ``grid_sample``.
    """

    name, tools = "tensorflow", "torch-fidelity, StyleGAN2-ADA, StyleGAN3, EDM, EDM2, clean-fid's legacy_tensorflow"
    preprocessing = f"{RGB}; {TF1_GRID.format(SIZE)}; {RANGE}"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        return (tf1_resize(images.float(), SIZE) - 128) / 128


@final
class PytorchFid(Resizer):
    """PyTorch's bilinear resize of images in [0, 1], without antialias.

    Reference: ``InceptionV3.forward`` in ``src/pytorch_fid/inception.py``, https://github.com/mseitzer/pytorch-fid at
    b9c1811; ``build_resizer`` in ``cleanfid/resize.py``, https://github.com/GaParmar/clean-fid at e88c4d6, which
    divides by 255 after the resize.
    """

    name, tools = "pytorch_fid", "pytorch-fid, clean-fid's legacy_pytorch"
    preprocessing = f"{RGB}; u / 255; bilinear to {SIZE}x{SIZE} on half-pixel centres (no antialias); 2 x - 1"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        return 2 * interpolate(images.float() / 255, (SIZE, SIZE), mode="bilinear", align_corners=False) - 1


@final
class Clean(Resizer):
    """Pillow's bicubic resize with antialias of each channel in floating point, on the CPU.

    Reference: ``make_resizer`` in ``cleanfid/resize.py`` and ``InceptionV3W.forward`` in
    ``cleanfid/inception_torchscript.py``, https://github.com/GaParmar/clean-fid at e88c4d6.
    """

    name, tools = "clean", "clean-fid"
    preprocessing = f"{RGB}; Pillow's bicubic to {SIZE}x{SIZE} with antialias in float32, in [0, 255]; {RANGE}"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        n = len(images)
        channels = images.flatten(0, 1).cpu().numpy().astype(np.float32)
        resized = np.empty((3 * n, SIZE, SIZE), np.float32)
        for channel, place in zip(channels, resized, strict=True):
            place[:] = np.asarray(Image.fromarray(channel).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        x = torch.from_numpy(resized).view(n, 3, SIZE, SIZE).to(images.device)
        return (x.clamp(0, 255) - 128) / 128


@final
class Torchmetrics(Resizer):
    """PyTorch's bilinear resize with antialias.

    Reference: ``NoTrainInceptionV3`` in ``torchmetrics/image/fid.py`` of torchmetrics 1.9.0, with its default
    ``antialias=True``.
    """

    name, tools = "torchmetrics", "torchmetrics since 1.8"
    preprocessing = f"{RGB}; bilinear to {SIZE}x{SIZE} on half-pixel centres with antialias; {RANGE}"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        x = interpolate(images.float(), (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
        return (x - 128) / 128


RESIZERS: Final = {resizer.name: resizer for resizer in (TensorFlow(), PytorchFid(), Clean(), Torchmetrics())}
"""Resizers by name."""


def resizer_called(name: str) -> Resizer:
    """Find a resizer.

    Args:
        name: one of :data:`RESIZERS`.

    Raises:
        ValueError: there is no such resizer.
    """
    if name not in RESIZERS:
        known = "; ".join(f"{resizer.name} ({resizer.tools})" for resizer in RESIZERS.values())
        raise ValueError(
            f"resizer: expected one of {known}; got '{name}'; choose that of the tool whose scores you mean"
        )
    return RESIZERS[name]
