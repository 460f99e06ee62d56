"""The tables at the end of a run and of a multirun: scores with direction and uncertainty, warnings, the best first."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganvas.commands.carried import Carried
from ganvas.commands.next_steps import say, say_next_of_study
from ganvas.display import plural, plus_minus, value_and_half

# The terms of the ELBO are in result.json and in MLflow; the table has no room for them.
TERMS = ("score/likelihood/reconstruction", "score/likelihood/kl")
_NO_SCORES = "train measures none of points, or with extractor=none; losses and grids are in MLflow"
_NAMED = 3
"""Runs that a warning names one by one."""
_LONGEST_LABEL = 28
"""Width at which the name of a run is folded if the table does not fit."""
Result = Mapping[str, Any]


class PrintTable(Callback):
    """Hydra callback that prints the results of all jobs of a multirun."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the results in the ``result.json`` files of the study and its jobs; failed jobs are listed below."""
        from ganvas.commands.addresses import print_views
        from ganvas.tracking.sync import NotDeliveredError, require_delivered  # loads MLflow

        folder, console = Path(config.hydra.sweep.dir), Console()
        study = json.loads((folder / "result.json").read_text())
        groups = [group for configuration in study["configurations"] if (group := _results(configuration))]
        if groups:
            print_study(groups, console)
        jobs = [(c, job) for c in study["configurations"] for job in c["seeds"]]
        for configuration, job in jobs:
            if job["outcome"] not in ("", "finished"):
                said = f"{configuration['label']} seed={job['seed']}: {job['outcome']}: {job['reason']}"
                say(console, said)
        if groups:
            say_next_of_study(study, folder, console)
        print_views(study["run_id"], console, study["study"])
        try:
            require_delivered(folder)
        except NotDeliveredError as error:  # Hydra makes a warning of every exception that a callback raises
            raise Carried(error) from error


def _results(configuration: Mapping[str, Any]) -> list[Result]:
    paths = [Path(job["output"]) / "result.json" for job in configuration["seeds"] if job["outcome"] == "finished"]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def print_run(result: Result, console: Console) -> None:
    """Print the scores of one run, one row each, then its best checkpoint and its warnings.

    Args:
        result: content of ``result.json``.
        console: prints the table.
    """
    if keys := _keys([result]):
        over = result.get("uncertainty", {})
        table = Table()
        for header, folded in (("score", False), ("value", False), ("±", False), ("± over", True)):
            table.add_column(header, justify="right" if header in ("value", "±") else "left", no_wrap=not folded)
        for key in keys:
            value, half = value_and_half(result["scores"][key])
            cells = (f"{key.removeprefix('score/')}{_arrow(key)}", value, half, over.get(key, ""))
            table.add_row(*map(Text, cells))
        console.print(table)
        say(console, _protocols([result], keys))
    else:
        say(console, f"{result['name']}: no scores: {_NO_SCORES}")
    if best := _best(result):
        say(console, best)
    for line in _warnings([result], [""]):
        say(console, line)


def print_study(groups: Sequence[Sequence[Result]], console: Console) -> None:
    """Print one row for each configuration, best first, and one column for each score.

    A row is named by what differs between the configurations. Scores of different protocols are not comparable, so
    each protocol has its own table.

    Args:
        groups: contents of ``result.json`` by configuration, at least one of at least one seed.
        console: prints the tables.
    """
    results = [result for group in groups for result in group]
    common = [part for part in _parts(results[0]) if all(part in _parts(r) for r in results)]
    say(console, f"{plural(len(results), 'run')} of {' '.join(common) or 'one multirun'}")
    for together in _comparable(groups):
        _print_rows([_Row(_label(group[0], common), group) for group in together], console)
    labels = [" ".join(filter(None, (_label(r, common), _seed(r)))) for r in results]
    earlier = sum(1 for r in results if r.get("best") and r["best"]["images_seen"] != r["images_seen"])
    if earlier:
        say(console, f"best.ckpt is an earlier checkpoint in {earlier} of {plural(len(results), 'run')}: see best/...")
    for line in _warnings(results, labels):
        say(console, line)


@final
@dataclass(frozen=True)
class _Row:
    """One configuration: its name, and the results of its seeds."""

    label: str
    results: Sequence[Result]

    def values(self, key: str) -> list[float]:
        return [r["scores"][key]["value"] for r in self.results if key in r["scores"]]

    def mean(self, key: str) -> float:
        return statistics.fmean(values) if (values := self.values(key)) else math.nan

    def cell(self, key: str, seeds: bool) -> str:
        """Mean ± standard deviation over seeds; of one run, in a table without seeds, the score's own uncertainty."""
        values = self.values(key)
        if len(values) > 1:
            return f"{self.mean(key):.4g} ± {statistics.stdev(values):.2g}"
        if not values or seeds:
            return f"{values[0]:.4g}" if values else ""
        return plus_minus(next(r["scores"][key] for r in self.results if key in r["scores"]))


def _print_rows(rows: Sequence[_Row], console: Console) -> None:
    results = [result for row in rows for result in row.results]
    if not (keys := _keys(results)):
        say(console, f"{', '.join(row.label for row in rows)}: no scores: {_NO_SCORES}")
        return
    seeds = sorted({len(row.results) for row in rows})
    means = f"mean ± standard deviation over seeds ({' to '.join(map(str, {seeds[0]: 0, seeds[-1]: 0}))})"
    over = means if seeds[-1] > 1 else _uncertainty(results, keys)
    columns = {key: (_header(key), [row.cell(key, seeds[-1] > 1) for row in _sorted(rows, keys)]) for key in keys}
    labels = [row.label for row in _sorted(rows, keys)]
    for block in _fitting(columns, max(map(len, labels)), console.width):
        table = Table()
        table.add_column("run", overflow="fold")
        for key in block:
            table.add_column(Text(columns[key][0]), justify="right", no_wrap=True)
        for index, label in enumerate(labels):
            table.add_row(Text(label), *(Text(columns[key][1][index]) for key in block))
        console.print(table)
    say(console, *filter(None, (over, _protocols(results, keys))))


def _fitting(columns: Mapping[str, tuple[str, list[str]]], label: int, width: int) -> Iterator[list[str]]:
    """Split columns into tables that are not wider than the console, so that no header and no number is cut."""
    widths = {key: max(map(len, [*head.split("\n"), *cells])) + 3 for key, (head, cells) in columns.items()}
    if label + 4 + sum(widths.values()) > width:
        label = min(label, _LONGEST_LABEL)
    block: list[str] = []
    used = label + 4
    for key in columns:
        if block and used + widths[key] > width:
            yield block
            block, used = [], label + 4
        block.append(key)
        used += widths[key]
    yield block


def _sorted(rows: Sequence[_Row], keys: Sequence[str]) -> list[_Row]:
    """Sort rows by the first score that has a direction, the best first and those without it last."""
    first = next(((key, lower) for key in keys if (lower := _lower(key)) is not None), None)
    if first is None:
        return list(rows)
    key, lower = first
    return sorted(rows, key=lambda row: math.inf if math.isnan(m := row.mean(key)) else m if lower else -m)


def _comparable(groups: Sequence[Sequence[Result]]) -> list[list[Sequence[Result]]]:
    """Group results so that no score in a group has two protocols; a VAE with additional scores can join a GAN."""
    together: list[list[Sequence[Result]]] = []
    for group in groups:
        fits = [other for other in together if all(_agree(a, b) for g in other for a in g for b in group)]
        if fits:
            fits[0].append(group)
        else:
            together.append([group])
    return together


def _agree(one: Result, other: Result) -> bool:
    a, b = one["fingerprints"], other["fingerprints"]
    return all(a[key] == b[key] for key in a.keys() & b.keys())


def _keys(results: Sequence[Result]) -> list[str]:
    return [key for key in dict.fromkeys(key for r in results for key in r["scores"]) if key not in TERMS]


def _lower(key: str) -> bool | None:
    from ganvas.metrics.registry import lower_is_better  # loads torch

    return lower_is_better(key)


def _arrow(key: str) -> str:
    return {True: " ↓", False: " ↑", None: ""}[_lower(key)]


def _header(key: str) -> str:
    """Extractor above metric, so that the column is narrow."""
    kind, _, name = key.removeprefix("score/").rpartition("/")
    return f"{kind}\n{name}{_arrow(key)}"


def _protocols(results: Sequence[Result], keys: Sequence[str]) -> str:
    digits = {key: found for result in results for key, found in result["fingerprints"].items()}
    shown = ", ".join(f"{key.rpartition('/')[2]} {digits[key]}" for key in keys if key in digits)
    return f"protocols: {shown}" if shown else ""


def _uncertainty(results: Sequence[Result], keys: Sequence[str]) -> str:
    over = {key: said for result in results for key, said in result.get("uncertainty", {}).items()}
    shown = "; ".join(f"{key.rpartition('/')[2]}: {over[key]}" for key in keys if key in over)
    return f"± of one run, not over seeds: {shown}" if shown else ""


def _parts(result: Result) -> list[str]:
    """Words of a run's name, without its seed."""
    return [part for part in result["name"].split() if not part.startswith("seed=")]


def _seed(result: Result) -> str:
    return next((part for part in result["name"].split() if part.startswith("seed=")), "")


def _label(result: Result, common: Sequence[str]) -> str:
    """Short name of a configuration: its name without the parts that all share, or all of it if nothing is left."""
    return " ".join(part for part in _parts(result) if part not in common) or " ".join(_parts(result))


def _best(result: Result) -> str:
    """Describe the best checkpoint; empty if none was chosen."""
    if not (best := result.get("best")):
        return ""
    selected = result["selection"]
    (key, value), *_ = selected["scores"].items()
    name = key.removeprefix("selection/")
    found, last = best["scores"][f"best/{name}"]["value"], result["scores"][f"score/{name}"]["value"]
    chosen = f"chosen by {value:.4g} on {selected['split']} (optimism {result['gap']['gap/optimism']:+.2g})"
    return f"best: {name} {found:.4g} at {best['images_seen']:,} images, final {last:.4g}; {chosen}"


def _warnings(results: Sequence[Result], labels: Sequence[str]) -> Iterator[str]:
    """Yield one line for each check that warns, with the first run's reason and the number of runs it concerns."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for result, label in zip(results, labels, strict=True):
        for name, finding in result.get("findings", {}).items():
            if finding["state"] != "ok":
                found[finding["state"], name].append((label, finding["reason"]))
    for (state, name), cases in found.items():
        who, (first, reason) = f"{len(cases)} of {plural(len(results), 'run')}", cases[0]
        if len(results) == 1:
            yield f"{state} {name}: {reason}"
        elif len(cases) <= _NAMED and len(cases) < len(results):
            yield f"{state} {name}: {who} ({'; '.join(label for label, _ in cases)}): {reason}"
        else:
            yield f"{state} {name}: {who}; in {first}: {reason}"
