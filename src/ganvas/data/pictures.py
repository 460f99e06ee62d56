"""Pictures of examples: a grid of images whose pixels are large enough to see, or a scatter plot of points."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganvas.types import to_uint8

_CELL = 64
"""Largest side of an image that was enlarged, in pixels; the factor is a whole number."""

_COVER = 0.8
"""Share of the colour where heat is 1; the rest is the image."""

_FONT = 15
_GAP = 6
"""Height of a label, and space around it, in pixels."""


def grid(images: Float[Tensor, "n c h w"], columns: int) -> UInt8[Tensor, "c2 h2 w2"]:
    """Arrange images in rows.

    Args:
        images: images in [-1, 1] of 1 or 3 channels.
        columns: number of images in a row.

    Returns:
        Three channels, ``uint8``.
    """
    # With torchvision comes the compiler of torch: a second of processor time, which commands without pictures save.
    from torchvision.utils import make_grid

    pixels = to_uint8(images.cpu())
    factor = max(1, _CELL // max(pixels.shape[-2:]))
    large = pixels.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
    return make_grid(large, nrow=columns, padding=2)


def pairs(
    originals: Float[Tensor, "n c h w"], reconstructions: Float[Tensor, "n c h w"], columns: int
) -> UInt8[Tensor, "c2 h2 w2"]:
    """Arrange originals in rows, each above the row of its reconstructions.

    Args:
        originals: images in [-1, 1].
        reconstructions: reconstructions of the same images.
        columns: number of images in a row.
    """
    rows = zip(originals.cpu().split(columns), reconstructions.cpu().split(columns), strict=True)
    return grid(torch.cat([part for row in rows for part in row]), columns)


def labelled(rows: Sequence[tuple[str, UInt8[Tensor, "3 _ _"]]]) -> UInt8[Tensor, "3 h w"]:
    """Stack pictures, each with its label on the left.

    Args:
        rows: labels and pictures, at least one.
    """
    font = ImageFont.load_default(_FONT)
    left = 2 * _GAP + max(round(font.getlength(label)) for label, _ in rows)
    height = sum(picture.shape[1] + _GAP for _, picture in rows)
    whole = Image.new("RGB", (left + max(picture.shape[2] for _, picture in rows), height), "white")
    draw, top = ImageDraw.Draw(whole), 0
    for label, picture in rows:
        draw.text((_GAP, top + picture.shape[1] // 2), label, "black", font, anchor="lm")
        whole.paste(Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()), (left, top))
        top += picture.shape[1] + _GAP
    return torch.from_numpy(np.array(whole)).permute(2, 0, 1).contiguous()


def words(texts: Sequence[str], below: UInt8[Tensor, "3 _ _"]) -> UInt8[Tensor, "3 h w"]:
    """Draw short texts side by side, each in the middle of a column of a grid.

    Args:
        texts: one text for each column.
        below: the grid, whose width is taken.
    """
    width = below.shape[2] / len(texts)
    font = ImageFont.load_default(min(_FONT, max(8, width / 5)))
    image = Image.new("RGB", (below.shape[2], _FONT + _GAP), "white")
    pen = ImageDraw.Draw(image)
    for column, text in enumerate(texts):
        pen.text(((column + 0.5) * width, image.height / 2), text, "black", font, anchor="mm")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def heated(images: Float[Tensor, "n c h w"], heat: Float[Tensor, "n h w"]) -> Float[Tensor, "n 3 h w"]:
    """Lay heat over images in grey: cold places stay as they are, hot ones turn from red to orange.

    Args:
        images: images in [-1, 1] of 1 or 3 channels.
        heat: heat in [0, 1].
    """
    grey = images.cpu().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    colours = torch.from_numpy(matplotlib.colormaps["hot"](0.3 + 0.35 * heat.numpy())[..., :3]).float()
    cover = (_COVER * heat[:, None]).clamp(0, 1)
    return (1 - cover) * grey + cover * (2 * colours.permute(0, 3, 1, 2) - 1)


def captioned(
    columns: Sequence[Float[Tensor, "n c h w"]], captions: Sequence[str], groups: int
) -> UInt8[Tensor, "c2 h2 w2"]:
    """Arrange groups of images: each row of a group has one image of each column, and its caption behind them.

    Args:
        columns: images in [-1, 1], as many in each column.
        captions: a short text for each row of a group, at most two lines.
        groups: number of groups side by side.
    """
    blank = torch.full_like(columns[0], -1)
    cells = torch.stack([*(column.cpu() for column in columns), blank.cpu()], 1).flatten(0, 1)
    drawn = grid(cells, groups * (len(columns) + 1))
    image = Image.fromarray(drawn.permute(1, 2, 0).contiguous().numpy())
    across = min(groups * (len(columns) + 1), len(cells))
    width, height = (image.width - 2) // across, (image.height - 2) // -(-len(cells) // across)
    pen = ImageDraw.Draw(image)
    for number, caption in enumerate(captions[: len(blank)]):
        row, group = divmod(number, groups)
        left = (group * (len(columns) + 1) + len(columns)) * width
        pen.multiline_text((left + 4, row * height + 4), caption, fill="white", font_size=max(8, width // 5))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def scatter(points: Float[Tensor, "n 2"], data: Float[Tensor, "m 2"]) -> UInt8[Tensor, "3 h w"]:
    """Plot points over those of the data, on the scale of the data; the title counts points outside.

    Args:
        points: points drawn from the model.
        data: points of the data.
    """
    low, high = data.cpu().amin(0), data.cpu().amax(0)
    margin = 0.25 * (high - low)
    inside = ((points.cpu() >= low - margin) & (points.cpu() <= high + margin)).all(dim=1)
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(4, 4), dpi=120, layout="tight")  # no pyplot: it would keep global state and a backend
        axes = figure.subplots()
        axes.scatter(data[:, 0].cpu(), data[:, 1].cpu(), s=4, color="0.75", label="data")
        axes.scatter(points[:, 0].cpu(), points[:, 1].cpu(), s=4, color="C0", label="model")
        axes.set_xlim((low - margin)[0].item(), (high + margin)[0].item())
        axes.set_ylim((low - margin)[1].item(), (high + margin)[1].item())
        axes.set_title(f"{len(points)} samples, {int((~inside).sum())} outside")
        axes.legend(loc="upper right")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return torch.from_numpy(np.array(Image.open(buffer).convert("RGB"))).permute(2, 0, 1).contiguous()
