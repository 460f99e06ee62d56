r"""Ways to resize images to the square that a network reads, each as a tool does it.

.. math:: r : [0, 255]^{c \times h \times w} \to \mathbb{R}^{c \times s \times s}

They differ in the filter, in whether it averages over what it makes smaller (antialias), and in rounding. The whole
image is stretched to the square. A score depends on the way, which is therefore a part of its protocol.

Reference: Parmar et al. 2022, https://arxiv.org/abs/2104.11222; the code that each class names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

RGB: Final = "grey replicated to RGB"
TF1_GRID: Final = "bilinear to {0}x{0} on TensorFlow 1's grid (no antialias, corners not aligned)"
"""Description of the resize in a protocol."""
IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's colours in [0, 1]."""


def tf1_resize(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
    """Resize images of any value range to a square, by the sums of torch-fidelity in its order: the same bits.

    Each row is interpolated once, where torch-fidelity interpolates the two rows of each place.

    Args:
        images: values in any range, which the result keeps.
        size: side of the result, in pixels.
    """
    return _along(_along(images, 3, size), 2, size)


def _along(x: Float[Tensor, "n c h w"], axis: int, size: int) -> Float[Tensor, "n c h2 w2"]:
    """Interpolate linearly along an axis; output i lies at i times the old size divided by the new one."""
    n = x.shape[axis]
    places = torch.arange(size, dtype=x.dtype, device=x.device) * torch.tensor(n / size, dtype=torch.float32)
    low = places.long()
    share = (places - low.float()).view(-1, *[1] * (3 - axis))
    below, above = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp_max(n - 1))
    return below + (above - below) * share


class Resize(ABC):
    """A way to resize images.

    Attributes:
        name: what ``extractor.resizer`` calls it.
        how: description for a protocol, with ``{0}`` in the place of the size.
    """

    name: str
    how: str

    @abstractmethod
    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """Resize images.

        Args:
            images: values in [0, 255], or in [0, 1] for a way that does not round or clip.
            size: side of the result, in pixels.
        """


@final
class TensorFlow(Resize):
    """TensorFlow 1's bilinear resize, which the Inception of 2015 itself does.

    Reference: ``FeatureExtractorInceptionV3.forward`` in ``torch_fidelity/feature_extractor_inceptionv3.py``,
    https://github.com/toshas/torch-fidelity at 5e211a9. The detector of StyleGAN and EDM computes the same numbers by
    ``grid_sample``.
    """

    name, how = "tensorflow", TF1_GRID

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return tf1_resize(images, size)


@final
class PytorchFid(Resize):
    """PyTorch's bilinear resize without antialias.

    Reference: ``InceptionV3.forward`` in ``src/pytorch_fid/inception.py``, https://github.com/mseitzer/pytorch-fid at
    b9c1811; ``build_resizer`` in ``cleanfid/resize.py``, https://github.com/GaParmar/clean-fid at e88c4d6.
    """

    name, how = "pytorch_fid", "bilinear to {0}x{0} on half-pixel centres (no antialias)"

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return interpolate(images, (size, size), mode="bilinear", align_corners=False)


@final
class Clean(Resize):
    """Pillow's bicubic resize with antialias of each channel in floating point, clipped to [0, 255], on the CPU.

    Reference: ``make_resizer`` in ``cleanfid/resize.py``, https://github.com/GaParmar/clean-fid at e88c4d6;
    ``pil_resize`` in ``dgm_eval/resizer.py``, https://github.com/layer6ai-labs/dgm-eval at d57a6d2, which
    ``--clean_resize`` asks for.
    """

    name, how = "clean", "Pillow's bicubic to {0}x{0} with antialias in float32, in [0, 255]"

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return _by_pillow(images, size, np.float32).clamp(0, 255)


@final
class Torchmetrics(Resize):
    """PyTorch's bilinear resize with antialias.

    Reference: ``NoTrainInceptionV3`` in ``torchmetrics/image/fid.py`` of torchmetrics 1.9.0, with its default
    ``antialias=True``.
    """

    name, how = "torchmetrics", "bilinear to {0}x{0} on half-pixel centres with antialias"

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)


@final
class Edm2(Resize):
    """PyTorch's bicubic resize with antialias, whose overshoots below 0 and above 255 are kept.

    Reference: ``DINOv2Detector`` in ``calculate_metrics.py``, https://github.com/NVlabs/edm2 at 32ecad3, with its
    default ``resize_mode='torch'``.
    """

    name, how = "edm2", "bicubic to {0}x{0} on half-pixel centres with antialias, not clipped"

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return interpolate(images, (size, size), mode="bicubic", align_corners=False, antialias=True)


@final
class Pillow(Resize):
    """Pillow's bicubic resize with antialias, rounded to whole grey levels after each direction, on the CPU.

    Reference: ``DINOv2Encoder.transform`` in ``dgm_eval/models/dinov2.py``, https://github.com/layer6ai-labs/dgm-eval
    at d57a6d2; EDM2's ``resize_mode='pil'``.
    """

    name, how = "pillow", "Pillow's bicubic to {0}x{0} with antialias, in whole grey levels"

    def __call__(self, images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
        """See :class:`Resize`."""
        return _by_pillow(images, size, np.uint8)


def _by_pillow(images: Float[Tensor, "n c h w"], size: int, kind: Any) -> Float[Tensor, "n c size size"]:
    """Resize each channel on its own, as Pillow itself does with those of a colour image."""
    n, c = images.shape[:2]
    channels = images.flatten(0, 1).cpu().numpy().astype(kind)
    resized = np.empty((n * c, size, size), np.float32)
    for channel, place in zip(channels, resized, strict=True):
        place[:] = np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC))
    return torch.from_numpy(resized).view(n, c, size, size).to(images.device)


RESIZES: Final = {
    resize.name: resize for resize in (TensorFlow(), PytorchFid(), Clean(), Torchmetrics(), Edm2(), Pillow())
}
"""Ways by name."""


def resize_called(name: str) -> Resize:
    """Find a way to resize.

    Args:
        name: one of :data:`RESIZES`.

    Raises:
        ValueError: there is no such way.
    """
    if name not in RESIZES:
        raise ValueError(
            f"extractor.resizer={name}: expected one of {', '.join(RESIZES)}; choose that of the tool whose scores you "
            "mean"
        )
    return RESIZES[name]
