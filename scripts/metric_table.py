"""Write the tables of metrics and of their settings in ``docs/reference/scores.md`` from the metrics' registrations.

Usage: python scripts/metric_table.py [--check]     # --check changes nothing and fails if the page is out of date
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ganvas.metrics.base import Metric, Setting
from ganvas.metrics.registry import GROUPS, all_settings, metrics

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "scores.md"
BEGIN, END = "<!-- metrics: made by scripts/metric_table.py -->", "<!-- end of metrics -->"
METRICS_HEAD = (
    "| `metrics=[...]` | scores | better | measures | asks for | sensible n | settings |\n|---|---|---|---|---|---|---|"
)
SETTINGS_HEAD = "| key of `ganvas score` | shipped | range | |\n|---|---|---|---|"
BETTER = {True: "lower", False: "higher", None: ""}


def tables() -> str:
    """Make both tables: one row for each metric, and one for each setting."""
    groups = [f"`{group}` stands for {', '.join(f'`{name}`' for name in names)}." for group, names in GROUPS.items()]
    listed = [METRICS_HEAD, *map(metric_row, metrics().values())]
    settings = [SETTINGS_HEAD, *map(setting_row, all_settings())]
    return "\n".join([*listed, "", *groups, "", *settings])


def metric_row(metric: Metric) -> str:
    """Make the row of a metric: its scores stand with their direction, in the same order."""
    keys = ", ".join(f"`{metric.kind or '<extractor>'}/{name}`" for name in metric.lower_is_better)
    better = ", ".join(dict.fromkeys(BETTER[lower] for lower in metric.lower_is_better.values() if lower is not None))
    if len(set(metric.lower_is_better.values())) > 1:
        better = ", ".join(f"{name} {BETTER[lower]}" for name, lower in metric.lower_is_better.items() if BETTER[lower])
    settings = ", ".join(f"`{key(setting)}`" for setting in metric.settings)
    least = metric.sensible_n or ""
    return f"| `{metric.name}` | {keys} | {better} | {metric.says} | {metric.needs} | {least} | {settings} |"


def setting_row(setting: Setting) -> str:
    """Make the row of a setting."""
    value = "null" if setting.value is None else setting.value
    return f"| `{key(setting)}` | {value} | {', '.join(_range(setting))} | {setting.says} |"


def key(setting: Setting) -> str:
    """Name of a setting on the command line of ``ganvas score``."""
    return setting.name if "." in setting.name else f"settings.{setting.name}"


def _range(setting: Setting) -> Iterator[str]:
    if setting.below is not None:
        yield f"above {setting.least}, below {setting.below}"
    elif setting.least is not None:
        yield f"at least {setting.least}"


def main() -> None:
    """Rewrite the text between the marks, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n{tables()}\n{END}{after}"
    if not options.check:
        PAGE.write_text(text)
    elif text != PAGE.read_text():
        raise SystemExit("docs/reference/scores.md does not match the registered metrics; run scripts/metric_table.py")


if __name__ == "__main__":
    main()
