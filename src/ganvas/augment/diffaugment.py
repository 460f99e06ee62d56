r"""DiffAugment: random colour, translation and cutout, of which a config chooses some.

- **colour**: brightness :math:`b`, saturation :math:`s` and contrast :math:`c`, one after the other, with
  :math:`b \sim U(-1/2, 1/2)`, :math:`s \sim U(0, 2)` around the mean over the channels, :math:`c \sim U(1/2, 3/2)`
  around the mean over the image. Saturation changes nothing in a grey image.
- **translation**: by up to an eighth of height and width; what comes in from outside is 0, mid grey.
- **cutout**: a rectangle of half the height and half the width is set to 0; a part of it may lie outside the image.

Reference: Zhao et al. 2020, section 4, https://arxiv.org/abs/2006.10738, where every transformation acts on every
image (:math:`p = 1`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from ganvas.augment.base import ImageAugmentation, chosen

TRANSLATION = 1 / 8
CUTOUT = 1 / 2


def colour(x: Float[Tensor, "n c h w"], acts: Bool[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Change brightness, saturation and contrast of the images on which it acts."""
    b, s, c = torch.rand(3, len(x), device=x.device).to(x.dtype).unbind()
    return recoloured(x, (b - 0.5) * acts, torch.where(acts, 2 * s, 1.0), torch.where(acts, c + 0.5, 1.0))


def recoloured(
    x: Float[Tensor, "n c h w"],
    brightness: Float[Tensor, " n"],
    saturation: Float[Tensor, " n"],
    contrast: Float[Tensor, " n"],
) -> Float[Tensor, "n c h w"]:
    r"""Change brightness, then saturation, then contrast of each image.

    With the mean over channels :math:`g` and the mean over the image :math:`m`, the three steps are together
    :math:`c s x + c (1 - s) g + b + (1 - c) m`, which passes over the image fewer times.

    Args:
        x: images.
        brightness: added to every pixel.
        saturation: factor of the distance of a channel from the mean over channels.
        contrast: factor of the distance of a pixel from the mean over the image.
    """
    b, s, c = (number[:, None, None, None] for number in (brightness, saturation, contrast))
    grey = x.mean(1, keepdim=True)
    return c * s * x + (c * (1 - s) * grey + b + (1 - c) * grey.mean((2, 3), keepdim=True))


def translation(x: Float[Tensor, "n c h w"], acts: Bool[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Move the images on which it acts by whole pixels."""
    most = [int(side * TRANSLATION + 0.5) for side in x.shape[2:]]
    down, right = (torch.randint(-m, m + 1, (len(x),), device=x.device) * acts for m in most)
    return moved(x, down, right)


def moved(
    x: Float[Tensor, "n c h w"], down: Int64[Tensor, " n"], right: Int64[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """Move each image; what comes in from outside is 0.

    Args:
        x: images.
        down: pixels by which each moves down.
        right: pixels by which each moves to the right.
    """
    n, c, h, w = x.shape
    # A frame of zeros holds all that can come in; one gather is several times faster than an index for each axis.
    rows = (torch.arange(h, device=x.device) - down[:, None]).clamp(-1, h) + 1
    columns = (torch.arange(w, device=x.device) - right[:, None]).clamp(-1, w) + 1
    source = rows[:, :, None] * (w + 2) + columns[:, None, :]
    framed = pad(x, (1, 1, 1, 1)).flatten(2)
    return framed.gather(2, source.reshape(n, 1, h * w).expand(n, c, h * w)).view(n, c, h, w)


def cutout(x: Float[Tensor, "n c h w"], acts: Bool[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Set a rectangle to 0 in the images on which it acts."""
    rows, columns = (_interval(len(x), side, x.device) for side in x.shape[2:])
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :] & acts[:, None, None, None])


def _interval(n: int, side: int, device: torch.device) -> Bool[Tensor, "n side"]:
    """Choose an interval of half the side for each image; the authors let its middle lie on the edges too."""
    length = int(side * CUTOUT + 0.5)
    start = torch.randint(side + 1 - length % 2, (n, 1), device=device) - length // 2
    position = torch.arange(side, device=device)
    return (position >= start) & (position < start + length)


POLICIES: Final[Mapping[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


@final
@dataclass(frozen=True)
class DiffAugment(ImageAugmentation):
    """Changes colour, moves images and cuts rectangles out of them.

    Args:
        p: probability of each transformation in each image, in [0, 1].
        policies: names of the transformations, in their order: colour, translation, cutout.

    Raises:
        ValueError: ``p`` is not a probability, or ``policies`` is empty or has an unknown name.
    """

    policies: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.policies or not set(self.policies) <= POLICIES.keys():
            raise ValueError(
                f"policies: got {list(self.policies)}, expected some of {', '.join(POLICIES)}. "
                "Write augment.policies=[colour,translation,cutout]."
            )

    def transform(self, x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]) -> Float[Tensor, "n c h w"]:
        """Apply each transformation to the images that it is chosen for."""
        for name in self.policies:
            x = POLICIES[name](x, chosen(x, p))
        return x
