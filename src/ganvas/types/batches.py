r"""Batches of examples, and conversions of images.

Images are ``uint8`` in [0, 255] at rest and ``float`` in [-1, 1] inside training:

.. math:: x = u / 127.5 - 1, \qquad u = \mathrm{round}(127.5 (x + 1)).

:func:`to_float` and :func:`to_uint8` are the only places where one becomes the other. Two-dimensional points (the
synthetic densities) are floats throughout and have ``shape == (2,)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

Shape = tuple[int, ...]
"""Shape of one example without the batch: ``(channels, height, width)`` of an image, ``(2,)`` of a point."""


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples of a split, as they pass from the data to the model.

    Args:
        x: images in [-1, 1], or points, shape ``(n, *shape)``.
        y: class of each example, shape ``(n,)``; None if the data have no labels.
        index: position of each example in its split, shape ``(n,)``.
    """

    x: Float[Tensor, " n *shape"]
    y: Int64[Tensor, " n"] | None
    index: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(self.x[part], None if self.y is None else self.y[part], self.index[part])

    def split(self, size: int) -> list[Batch]:
        """Cut the batch into batches of ``size`` examples; the last one may be smaller."""
        return [self[start : start + size] for start in range(0, len(self), size)]

    def to(self, device: torch.device | str, **kwargs: Any) -> Batch:
        """Copy the batch to a device; Lightning calls this hook before each training step.

        Args:
            device: the target.
            **kwargs: passed on to :meth:`torch.Tensor.to`.
        """
        y = None if self.y is None else self.y.to(device, **kwargs)
        return Batch(self.x.to(device, **kwargs), y, self.index.to(device, **kwargs))


def to_float(images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Convert images at rest to images in training.

    Args:
        images: ``uint8`` in [0, 255].

    Returns:
        ``float32`` in [-1, 1].
    """
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    """Convert images in training to images at rest: round to nearest, clip values outside [-1, 1].

    The range is never taken from the images themselves: rescaling by their own minimum and maximum would hide a
    generator whose output range is wrong.

    Args:
        images: nominally in [-1, 1], any floating type.

    Returns:
        ``uint8`` in [0, 255].
    """
    return images.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def widen(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert half precision to ``float32``; return ``float32`` and ``float64`` as they are, without a copy.

    Losses are computed in at least ``float32``, whatever the precision of the networks: under ``bf16-mixed`` a score
    has eight significant bits, too few for a mean over the batch or for a difference of two means.

    Args:
        x: any floating type.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
