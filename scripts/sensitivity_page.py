"""Write tables and pictures of ``docs/explanation/sensitivity.md`` from what ``scripts/sensitivity.py`` measured.

Usage: python scripts/sensitivity_page.py [--check]     # --check changes nothing, and fails on another page
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ganvas.metrics.registry import lower_is_better

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "explanation" / "sensitivity.md"
MEASURED: Final = {"mnist": "Digits", "cifar10": "CIFAR-10"}
"""Measured files by their names, with the headings of their tables."""
BEGIN, END = "<!-- {}: made by scripts/sensitivity_page.py -->", "<!-- end of {} -->"
BLIND = 2.776 * math.sqrt(2)
"""Two sets of real images differ by less than this, with probability .95: Student's t with 4 degrees of freedom."""
SHOWN = 30.0
"""Larger answers have the colour of this one."""


@dataclass(frozen=True)
class Answers:
    """Answers of the scores of one data set.

    Args:
        values: answers by score and column, positive for "worse"; NaN where a score was not measured.
        real: mean of each score over the sets of real images.
    """

    values: Mapping[str, Mapping[str, float]]
    real: Mapping[str, float]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(next(iter(self.values.values())))


def answers(measured: Mapping[str, Any]) -> Answers:
    """Compute the answers, see ``scripts/sensitivity.py``.

    A score without a direction (``c_t``) answers by the distance from its value on real images, so never "better". A
    score that is the same for all sets of real images is left out.
    """
    scores = measured["scores"]
    sets = [found for name, found in scores.items() if name.startswith("set ")]
    columns = {name: found for name, found in scores.items() if not name.startswith("set ")}
    values, real = {}, {}
    for key in sets[0]:
        spread = statistics.stdev(found[key] for found in sets)
        if not spread:
            continue
        lower = lower_is_better(key)
        name = key.split("/")[-1]
        real[name] = statistics.mean(found[key] for found in sets)
        values[name] = {
            column: _signed((found.get(key, math.nan) - sets[0][key]) / spread, lower)
            for column, found in columns.items()
        }
    return Answers(values, real)


def _signed(answer: float, lower: bool | None) -> float:
    return abs(answer) if lower is None else answer if lower else -answer


def table(found: Answers) -> Iterator[str]:
    """Make the lines of the table."""
    yield "| score | on real images | " + " | ".join(found.columns) + " |"
    yield "|---" * (2 + len(found.columns)) + "|"
    for name, values in found.values.items():
        cells = [_cell(value) for value in values.values()]
        yield f"| `{name}` | {found.real[name]:.3g} | " + " | ".join(cells) + " |"


def _cell(answer: float) -> str:
    if math.isnan(answer):
        return ""
    text = f"{answer:+.0f}" if abs(answer) < 1000 else f"{answer / 1000:+.0f}k" if abs(answer) < 1e5 else ">100k"
    return text if abs(answer) < BLIND else f"**{text}**"


def summary(found: Answers) -> Iterator[str]:
    """List for each score what it does not see, and what it takes for an improvement."""
    yield "| score | does not see | takes for better than real images |"
    yield "|---|---|---|"
    for name, values in found.values.items():
        blind = [column for column, value in values.items() if abs(value) < BLIND]
        fooled = [column for column, value in values.items() if value <= -BLIND]
        yield f"| `{name}` | {', '.join(blind)} | {', '.join(fooled)} |"


def picture(found: Answers) -> Figure:
    """Draw the answers: red for worse, blue for better, by the logarithm of their size."""
    shown = np.array([list(values.values()) for values in found.values.values()])
    scaled = np.sign(shown) * np.log1p(np.abs(shown)) / math.log1p(SHOWN)
    with mpl.rc_context({"font.size": 7}):
        figure = Figure(figsize=(0.42 * shown.shape[1] + 1.4, 0.21 * shown.shape[0] + 1.3), layout="constrained")
        axes = figure.subplots()
        axes.imshow(scaled, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        axes.set_xticks(range(shown.shape[1]), found.columns, rotation=45, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(shown.shape[0]), list(found.values))
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
        for (row, column), answer in np.ndenumerate(shown):
            dark = abs(scaled[row, column]) > 0.6
            axes.text(
                column, row, _cell(answer).strip("*"), ha="center", va="center", color="white" if dark else "black"
            )
    return figure


def block(name: str, found: Answers, measured: Mapping[str, Any]) -> str:
    """Make the part of the page on one data set."""
    images, settings = measured["images"], measured["settings"]
    versions = measured["versions"]
    said = [
        f"Extractor `{measured['extractor']}`; {images['train']:,} training images, {images['held_out']:,} held-out "
        f"images as the reference, {images['sets']} sets of {images['samples']:,} samples; "
        + ", ".join(f"`settings.{key}={value}`" for key, value in settings.items())
        + f", other settings as shipped; fd's protocol `{measured['protocols'][_key(measured, 'fd')]}`; torch "
        f"{versions['torch']}. All values are in [the file](sensitivity/{name}.json).",
        "",
        f"![Answers of {len(found.values)} scores to {len(found.columns)} changes](../pictures/sensitivity-{name}.png)",
        "",
        *summary(found),
        "",
        *table(found),
    ]
    return "\n".join(said)


def _key(measured: Mapping[str, Any], metric: str) -> str:
    return f"score/{measured['extractor']}/{metric}"


def main() -> None:
    """Rewrite the parts of the page and the pictures, or check that the parts are up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = PAGE.read_text()
    for name in MEASURED:
        measured = json.loads((PAGE.parent / "sensitivity" / f"{name}.json").read_text())
        found = answers(measured)
        before, _, rest = text.partition(BEGIN.format(name))
        _, _, after = rest.partition(END.format(name))
        text = f"{before}{BEGIN.format(name)}\n{block(name, found, measured)}\n{END.format(name)}{after}"
        if not options.check:
            picture(found).savefig(DOCS / "pictures" / f"sensitivity-{name}.png", dpi=130)
    if not options.check:
        PAGE.write_text(text)
    elif text != PAGE.read_text():
        raise SystemExit("docs/explanation/sensitivity.md does not match its files; run scripts/sensitivity_page.py")


if __name__ == "__main__":
    main()
