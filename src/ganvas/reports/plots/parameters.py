"""Pictures of swept parameters: their importance, the score over each of them, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ganvas.reports.plots.importance import is_log, numeric, varying
from ganvas.reports.plots.scores import WIDTH, axis_name, log_if_wide
from ganvas.reports.plots.theme import Mark, Picture, colors, folded, paint, tidy_axes
from ganvas.reports.ranking import Ranking

BEST, WORST = "#2f81d8", "#d99a2b"
"""Colours that are visible on white and on black, and to the colour-blind."""
MOST = 6
"""Largest number of parameters in a picture."""


def importance_plot(shares: Mapping[str, float]) -> Picture:
    """Draw shares of importance as bars, the largest on top."""
    top = dict(list(shares.items())[:12])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh([folded(key) for key in top], list(top.values()), color=colors(1)[0], height=0.6)
        axes.bar_label(bars, [f"{share:.0%}" for share in top.values()], padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, max(top.values()) * 1.12)
        axes.set_xlabel("share of importance (PED-ANOVA)")
        tidy_axes(axes, "x")

    return paint("importance", "Importance of each swept parameter", (WIDTH, 0.9 + 0.36 * len(top)), draw)


def chosen(ranking: Ranking, shares: Mapping[str, float]) -> list[str]:
    """Choose the parameters that get a panel: the most important ones, or the first ones if there are no shares."""
    return (list(shares) or list(varying(ranking)))[:MOST]


def slice_plot(ranking: Ranking, keys: Sequence[str]) -> Picture:
    """Draw the score over each parameter: one panel for a parameter, one dot for the mean of a configuration."""
    models = list(dict.fromkeys(str(c.rows["model"].iloc[0]) for c in ranking.ranked))
    palette = dict(zip(models, colors(len(models)), strict=True))
    columns = min(3, len(keys))
    rows = -(-len(keys) // columns)

    def draw(figure: Figure) -> list[Mark]:
        panels = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
        marks = [mark for axes, key in zip(panels, keys, strict=False) for mark in _slice(axes, ranking, key, palette)]
        for axes in panels[len(keys) :]:
            axes.set_visible(False)
        panels[0].set_ylabel(axis_name(ranking))
        log_if_wide(list(panels[: len(keys)]))
        if len(models) > 1:
            handles = [Line2D([], [], marker="o", linestyle="", label=m, color=palette[m]) for m in models]
            figure.legend(handles=handles, loc="outside upper left", ncols=len(models))
        return marks

    return paint("slices", "Score over each swept parameter", (WIDTH, 0.4 + 2.9 * rows), draw)


def parallel_plot(ranking: Ranking, keys: Sequence[str]) -> Picture:
    """Draw each configuration as a line through all its parameters to its score, the best configurations last."""
    scores = np.array([c.summary.mean for c in ranking.ranked])
    heights = np.stack([*(_heights(ranking, key) for key in keys), _scaled(scores)], axis=1)
    lines = [np.stack([np.arange(len(keys) + 1), row], axis=1) for row in heights][::-1]
    ends = (BEST, WORST) if ranking.lower_is_better else (WORST, BEST)
    colormap = sns.blend_palette(ends, as_cmap=True)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        box = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 1.0}
        drawn = LineCollection(lines, cmap=colormap, norm=Normalize(scores.min(), scores.max()), linewidths=1.8)
        drawn.set_array(scores[::-1])
        axes.add_collection(drawn)
        for x, key in enumerate([*keys, ranking.score]):
            axes.axvline(x, color=axes.spines["left"].get_edgecolor(), linewidth=0.8)
            for height, text in _marks(ranking, key, scores):
                axes.annotate(text, (x, height), (4, 0), textcoords="offset points", fontsize=8, va="center", bbox=box)
        axes.set_xticks(range(len(keys) + 1), [folded(key, 20) for key in [*keys, ranking.score]])
        axes.set_yticks([])
        axes.set_xlim(-0.1, len(keys) + 0.35)
        axes.set_ylim(-0.06, 1.06)
        sns.despine(ax=axes, left=True, bottom=True)
        figure.colorbar(drawn, ax=axes, label=axis_name(ranking), aspect=30)

    return paint("parallel", "Every configuration as a line through its parameters to its score", (WIDTH, 3.6), draw)


def _slice(axes: Axes, ranking: Ranking, key: str, palette: Mapping[str, tuple[float, float, float]]) -> list[Mark]:
    having = [c for c in ranking.ranked if key in c.params]
    values = [c.params[key] for c in having]
    numbers = numeric(values)
    names = sorted(set(values))
    x = numbers if numbers is not None else [names.index(value) for value in values]
    shades = [palette[str(c.rows["model"].iloc[0])] for c in having]
    axes.scatter(x, [c.summary.mean for c in having], c=shades, s=34, alpha=0.85, linewidths=0)
    if numbers is None:
        axes.set_xticks(range(len(names)), [folded(name, 14) for name in names], rotation=30 if len(names) > 3 else 0)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif _on_log_axis(ranking, key, numbers):
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))  # more labels such as 0.0015 would overlap
    axes.set_xlabel(key)
    tidy_axes(axes, "both")
    points = [(float(at), c.summary.mean, c.label) for at, c in zip(x, having, strict=True)]
    return [(axes, at, mean, f"{label}: {mean:.4g}") for at, mean, label in points]


def _on_log_axis(ranking: Ranking, key: str, numbers: Sequence[float]) -> bool:
    """Whether a parameter was searched on a logarithmic scale, as far as the study or its values say."""
    values = sorted(set(numbers))
    if values[0] <= 0:
        return False
    ratios = [b / a for a, b in pairwise(values)]
    # A hand-written grid such as 1e-4,3e-4,1e-3 or 64,128,256 is not recorded as logarithmic.
    geometric = len(ratios) > 1 and min(ratios) > 1.5 and max(ratios) / min(ratios) < 1.2
    return key in ranking.logarithmic or is_log(values) or geometric


def _scaled(values: np.ndarray) -> np.ndarray:
    low, high = np.nanmin(values), np.nanmax(values)
    return (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)


def _heights(ranking: Ranking, key: str) -> np.ndarray:
    """Height at which each configuration crosses a parameter's axis; NaN, which is a gap, if it lacks the parameter."""
    values = [c.params.get(key) for c in ranking.ranked]
    present = [value for value in values if value is not None]
    numbers = numeric(present)
    if numbers is None:
        names = sorted(set(present))
        return _scaled(np.array([np.nan if value is None else names.index(value) for value in values], dtype=float))
    heights = np.array([np.nan if value is None else float(value) for value in values])
    return _scaled(np.log(heights) if _on_log_axis(ranking, key, numbers) else heights)


def _marks(ranking: Ranking, key: str, scores: np.ndarray) -> list[tuple[float, str]]:
    """Labels of an axis, with their heights: every category, or the two ends of a number."""
    if key == ranking.score:
        return [(0.0, f"{scores.min():.4g}"), (1.0, f"{scores.max():.4g}")]
    heights = _heights(ranking, key)
    marks = {h: c.params[key] for h, c in zip(heights, ranking.ranked, strict=True) if key in c.params}
    if numeric(list(marks.values())) is not None:
        marks = {h: marks[h] for h in (min(marks), max(marks))}
    return [(float(h), text) for h, text in marks.items()]
