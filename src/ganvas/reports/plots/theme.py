"""Figures in two colour schemes, for light and for dark pages, drawn without a display and without pyplot's state."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 130
PALETTE = "colorblind"
LIGHT = {"ink": "#1f2328", "muted": "#8b949e", "paper": "#ffffff", "grid": "#e7eaee"}
DARK = {"ink": "#e6edf3", "muted": "#7d8590", "paper": "#161b22", "grid": "#2b323b"}

Mark = tuple[Axes, float, float, str]
"""A text that belongs to a point: axes, position in the data's coordinates, text."""
Draw = Callable[[Figure], Iterable[Mark] | None]
MOST_SPOTS = 400


@dataclass(frozen=True)
class Spot:
    """A place of a picture that shows a text under the pointer.

    Args:
        x: from the left, as a share of the picture's width.
        y: from the top, as a share of its height.
        text: the text.
    """

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Picture:
    """A figure as PNG in two colour schemes.

    Args:
        name: name of its file, without suffix.
        alt: description for readers who do not see it.
        light: PNG on a white ground.
        dark: PNG on a near-black ground.
        spots: places that show a text under the pointer.
    """

    name: str
    alt: str
    light: bytes
    dark: bytes
    spots: tuple[Spot, ...] = ()


def paint(name: str, alt: str, size: tuple[float, float], draw: Draw) -> Picture:
    """Draw a figure in both colour schemes.

    Args:
        name: name of its file, without suffix.
        alt: description for readers who do not see it.
        size: width and height in inches.
        draw: fills the figure and may return marks, which become spots; colours that it does not set follow the scheme.
    """
    light, spots = _png(size, draw, LIGHT)
    return Picture(name, alt, light, _png(size, draw, DARK)[0], spots)


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Encode ``content`` as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def colors(n: int) -> list[tuple[float, float, float]]:
    """Choose ``n`` colours that most readers can tell apart; they repeat beyond ten."""
    return list(sns.color_palette(PALETTE, n))


def folded(label: str, width: int = 34) -> str:
    """Break ``label`` into lines of at most ``width`` characters if it has places to break."""
    return "\n".join(textwrap.wrap(label, width, break_on_hyphens=False)) or label


def tidy_axes(axes: Axes, grid: str) -> None:
    """Remove the frame and draw the grid along one axis or ``both``."""
    sns.despine(ax=axes)
    axes.grid(axis=grid, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _png(size: tuple[float, float], draw: Draw, scheme: dict[str, str]) -> tuple[bytes, tuple[Spot, ...]]:
    ink, paper = scheme["ink"], scheme["paper"]
    rc: dict[Any, Any] = {
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "savefig.facecolor": paper,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": scheme["muted"],
        "xtick.color": scheme["muted"],
        "ytick.color": scheme["muted"],
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "grid.color": scheme["grid"],
        "legend.frameon": False,
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
    }
    with mpl.rc_context(rc):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        marks = list(draw(figure) or ())[:MOST_SPOTS]
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        # Positions are known when the figure has been drawn.
        spots = tuple(_spot(figure, axes, float(x), float(y), text) for axes, x, y, text in marks)
    return buffer.getvalue(), spots


def _spot(figure: Figure, axes: Axes, x: float, y: float, text: str) -> Spot:
    left, bottom = figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
    return Spot(float(left), 1 - float(bottom), text)
