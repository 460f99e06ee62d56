"""Pictures of scores: means with intervals, budget curves, scores over images and over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from ganvas.reports.configuration import RankedConfiguration
from ganvas.reports.plots.theme import Mark, Picture, colors, folded, paint, tidy_axes
from ganvas.reports.ranking import Ranking
from ganvas.reports.statistics.best_of import expected_best

WIDTH = 8.6
WIDE = 5.0
"""Ratio of the ends of an axis from which the axis is logarithmic."""


def is_wide(low: float, high: float) -> bool:
    """Whether one configuration would push the others together on a linear axis."""
    return bool(low > 0 and high / low >= WIDE)


def log_if_wide(panels: Sequence[Axes]) -> None:
    """Make the vertical axis that all panels share logarithmic, if the first panel's is wide."""
    if is_wide(*panels[0].get_ylim()):
        for axes in panels:
            axes.set_yscale("log")
            plain_ticks(axes.yaxis)


def plain_ticks(axis: Axis) -> None:
    """Set the ticks of a logarithmic axis at 1, 2 and 5, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())


def axis_name(ranking: Ranking) -> str:
    """Name of an axis: the score and its direction."""
    return f"{ranking.score.removeprefix('score/')} ({'lower' if ranking.lower_is_better else 'higher'} is better)"


def ranking_plot(
    ranking: Ranking, shown: Sequence[RankedConfiguration], lines: Mapping[str, float] = MappingProxyType({})
) -> Picture:
    """Draw mean, 95% interval and seeds of each configuration, the best on top.

    Args:
        ranking: gives the score and its direction.
        shown: configurations that are drawn.
        lines: scores by name that get a vertical line, such as the floor; those far from the others are left out.
    """

    def draw(figure: Figure) -> Iterator[Mark]:
        axes = figure.subplots()
        for y, (c, color) in enumerate(zip(shown, colors(len(shown)), strict=True)):
            values = list(c.values.values())
            axes.scatter(values, np.full(len(values), y + 0.24), s=16, color=color, alpha=0.6, linewidths=0)
            axes.plot([c.interval.low, c.interval.high], [y, y], color=color, linewidth=2.2)
            axes.scatter([c.summary.mean], [y], s=56, color=color, zorder=3)
        axes.set_yticks(range(len(shown)), [folded(c.label) for c in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlabel(axis_name(ranking))
        if is_wide(*axes.get_xlim()):
            axes.set_xscale("log")
            plain_ticks(axes.xaxis)
        tidy_axes(axes, "x")
        _lines(axes, lines)
        for y, c in enumerate(shown):
            yield axes, c.summary.mean, y, f"{c.label}: mean {c.summary.mean:.4g} of {c.summary.n}"
            for seed, value in c.values.items():
                yield axes, value, y + 0.24, f"{c.label} seed={seed}: {value:.4g}"

    size = (WIDTH, 0.9 + 0.42 * len(shown))
    return paint("ranking", "Mean score, interval and seeds of each configuration", size, draw)


def _lines(axes: Axes, lines: Mapping[str, float]) -> None:
    """Draw the lines that lie within half the axis' width of it, with their names above the axes."""
    low, high = axes.get_xlim()
    for name, value in lines.items():
        if low - (high - low) / 2 <= value <= high + (high - low) / 2:
            axes.axvline(value, linestyle="--", linewidth=1.2, color=axes.spines["bottom"].get_edgecolor())
            above = axes.get_xaxis_transform()
            axes.text(value, 1.01, name, transform=above, ha="center", va="bottom", fontsize=8.5)


def budget_groups(ranking: Ranking) -> dict[str, list[float]]:
    """Mean score of each configuration, by model if several models have at least two, else in one group."""
    groups: dict[str, list[float]] = {}
    for c in ranking.ranked:
        groups.setdefault(str(c.rows["model"].iloc[0]), []).append(c.summary.mean)
    groups = {model: means for model, means in groups.items() if len(means) > 1}
    return groups if len(groups) > 1 else {"all configurations": [c.summary.mean for c in ranking.ranked]}


def budget_plot(ranking: Ranking) -> Picture:
    """Draw the expected best of k trials with its interval."""
    groups = budget_groups(ranking)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for (name, means), color in zip(groups.items(), colors(len(groups)), strict=True):
            curve = expected_best(means, ranking.lower_is_better)
            axes.plot(curve.k, curve.expected, color=color, label=name, marker="o", markersize=4)
            axes.fill_between(curve.k, curve.low, curve.high, color=color, alpha=0.16, linewidth=0)
        axes.set_xlabel("trials (configurations tried)")
        axes.set_ylabel(f"expected best\n{axis_name(ranking)}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        log_if_wide([axes])
        if len(groups) > 1:
            figure.legend(loc="outside upper left", ncols=len(groups))
        tidy_axes(axes, "both")

    return paint("budget", "Expected best score after k trials", (WIDTH, 3.5), draw)


def curves_plot(ranking: Ranking, shown: Sequence[RankedConfiguration], history: pd.DataFrame) -> Picture:
    """Draw scores in training against images seen and against wall-clock time: seeds thin, their mean thick.

    Args:
        ranking: gives the score and its direction.
        shown: configurations that are drawn.
        history: columns ``run_id``, ``step``, ``seconds``, ``value``.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for c, color in zip(shown, colors(len(shown)), strict=True):
            runs = history[history["run_id"].isin(c.scored["run_id"])]
            for _, run in runs.groupby("run_id"):
                left.plot(run["step"], run["value"], color=color, alpha=0.35, linewidth=0.9)
                right.plot(run["seconds"] / 60, run["value"], color=color, alpha=0.35, linewidth=0.9)
            mean = runs.groupby("step")[["seconds", "value"]].mean()
            label = folded(c.label, 44)
            left.plot(mean.index, mean["value"], "o-", color=color, markersize=3.5, linewidth=2)
            right.plot(mean["seconds"] / 60, mean["value"], "o-", color=color, markersize=3.5, linewidth=2, label=label)
        _finish_curves(left, right, ranking)
        figure.legend(loc="outside lower left", ncols=2)

    rows = (len(shown) + 1) // 2
    return paint(
        "curves", "Score in training against images seen and against minutes", (WIDTH, 3.4 + 0.24 * rows), draw
    )


def _finish_curves(left: Axes, right: Axes, ranking: Ranking) -> None:
    left.set_xlabel("images seen")
    right.set_xlabel("minutes")
    left.set_ylabel(axis_name(ranking).replace("score/", ""))
    log_if_wide([left, right])
    for axes in (left, right):
        tidy_axes(axes, "both")
