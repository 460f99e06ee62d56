"""Figures in two colour schemes, for light and for dark pages, drawn without a display and without pyplot's state."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable
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

Draw = Callable[[Figure], None]


@dataclass(frozen=True)
class Picture:
    """A figure as PNG in two colour schemes.

    Args:
        name: name of its file, without suffix.
        alt: description for readers who do not see it.
        light: PNG on a white ground.
        dark: PNG on a near-black ground.
    """

    name: str
    alt: str
    light: bytes
    dark: bytes


def paint(name: str, alt: str, size: tuple[float, float], draw: Draw) -> Picture:
    """Draw a figure in both colour schemes.

    Args:
        name: name of its file, without suffix.
        alt: description for readers who do not see it.
        size: width and height in inches.
        draw: fills the figure; colours that it does not set follow the scheme.
    """
    return Picture(name, alt, _png(size, draw, LIGHT), _png(size, draw, DARK))


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


def _png(size: tuple[float, float], draw: Draw, scheme: dict[str, str]) -> bytes:
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
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
