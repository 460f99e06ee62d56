"""``ganvas score A B`` and ``--table``: several sources against one reference, their differences, a leaderboard.

Each source is scored as alone, into a folder of its own; extractors, data and references that sources have in common
are opened once (:mod:`ganvas.scoring.opened`). Each leaves the scores of halves of its images
(:mod:`ganvas.scoring.replicates`). A source that fails is named and does not stop the others; two sources without
``--table`` are the exception, because their difference needs both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from ganvas import __version__
from ganvas.commands.scored import Scored
from ganvas.config import ConfigError
from ganvas.errors import explain
from ganvas.metrics.registry import lower_is_better
from ganvas.reports.contrast import Contrast, contrasts
from ganvas.reports.leaderboard import Contender, Leaderboard, leaderboard, of_one_protocol, render
from ganvas.reports.page import number, p_value, short
from ganvas.reports.studies import without_formulas
from ganvas.scoring.halves import require_groups
from ganvas.scoring.opened import Opened
from ganvas.scoring.subjects import ARRAYS
from ganvas.scoring.table import print_scores
from ganvas.storage.atomic import write_json
from ganvas.storage.checkpoints import LAST
from ganvas.storage.exported import WEIGHTS, is_exported

PAGE: Final = "leaderboard.html"
TABLE: Final = "leaderboard.csv"
_CHECKPOINTS: Final = "*.ckpt"
_SOURCES: Final = ("source", "first", "second")
"""Columns of tables that name sources."""
Score = Callable[[DictConfig, Path, Console, Opened, bool], Scored]
"""Scores one source: :func:`ganvas.commands.score.scored`."""


class NoneScored(Exception):
    """No source could be scored.

    Args:
        message: what happened to the first of them.
        exit_code: 2 if every source was bad input, else 1.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def score_several(cfg: DictConfig, output: Path, console: Console, score: Score) -> dict[str, Any]:
    """Score each source, and write what they are against each other.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        output: folder for ``result.json`` and the leaderboard; the files of each source are in a folder below it.
        console: prints the tables.
        score: scores one source.

    Returns:
        The content of ``result.json``.

    Raises:
        ConfigError: there are no sources, or two that are to be compared have different protocols.
        NoneScored: no source could be scored.
    """
    names = _sources(cfg)
    tabled, opened = cfg.table or len(names) > 2, Opened()
    done: dict[str, Scored] = {}
    failed: dict[str, tuple[str, int]] = {}
    for at, name in enumerate(names):
        try:
            done[name] = score(_of(cfg, name), output / str(at), console, opened, True)
        except Exception as error:
            if not tabled:
                raise
            failed[name] = explain(error, "score")
            console.print(f"{name}: {failed[name][0]}", soft_wrap=True, markup=False, highlight=False)
    _require_one(failed, len(names))
    labels = labels_of(names)
    given = {label: name for name, label in labels.items()}
    contenders = [Contender(labels[name], one.found, one.replicates) for name, one in done.items()]
    reference = next(iter(done.values())).result["reference"]
    said = {name: message for name, (message, _) in failed.items()}
    if tabled:
        told = {labels[name]: message for name, message in said.items()}
        made = _leaderboard(contenders, told, given, output, reference, console)
    else:
        made = _pair(contenders, done, given, console)
    result = {
        "sources": names,
        "reference": reference,
        **made,
        "failed": said,
        "results": {name: one.result for name, one in done.items()},
        "output": str(output.absolute()),
    }
    write_json(output / "result.json", result)
    return result


def _sources(cfg: DictConfig) -> list[str]:
    """Names of the sources, each once; of one folder, those in it."""
    given = [*([cfg.source] if cfg.source else []), *cfg.sources]
    try:
        require_groups(cfg.groups)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if cfg.export_reference:
        raise ConfigError("export_reference: not beside several sources; export it alone, without SOURCE")
    folder = len(given) == 1 and Path(given[0]).is_dir()
    names = within(Path(given[0])) if folder else given
    if len(names) < 2:
        found = f"{given[0]} holds {len(names)}" if folder else f"got {len(names)}"
        raise ConfigError(
            f"sources: expected two or more, {found}; name them, as in ganvas score A B, or a folder with runs, "
            "checkpoints or arrays of images"
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"sources: {next(n for n in names if names.count(n) > 1)} is named twice; name it once")
    return names


def within(folder: Path) -> list[str]:
    """Find the sources in a folder, in the order of their names.

    Args:
        folder: the checkpoints of one run; runs and exported models at any depth; or arrays of images.

    Returns:
        Checkpoints, else runs and models, else arrays.
    """
    if direct := sorted(folder.glob(_CHECKPOINTS)):
        return [str(path) for path in direct]
    runs = {path.parent for path in folder.rglob(LAST)}
    models = {path.parent for path in folder.rglob(WEIGHTS) if is_exported(path.parent)}
    below = sorted(runs | models)
    return [str(path) for path in below or sorted(p for p in folder.iterdir() if p.suffix in ARRAYS)]


def labels_of(names: Sequence[str]) -> dict[str, str]:
    """Find a short label of each source: its path without the first and the last parts that all have in common.

    Args:
        names: different names of sources.
    """
    split = [Path(name).parts for name in names]
    least = min(map(len, split)) - 1  # a part is left of each
    first = next((i for i in range(least) if len({parts[i] for parts in split}) > 1), least)
    last = next((i for i in range(least - first) if len({parts[-1 - i] for parts in split}) > 1), least - first)
    labels = [str(Path(*parts[first : len(parts) - last])) for parts in split]
    return dict(zip(names, labels if len(set(labels)) == len(names) else names, strict=True))


def _named(rows: Sequence[Mapping[str, Any]], given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Put the sources as they were given in the place of their labels."""
    return [{key: given[value] if key in _SOURCES else value for key, value in row.items()} for row in rows]


def _of(cfg: DictConfig, name: str) -> DictConfig:
    one = cfg.copy()
    one.source, one.sources, one.table = name, [], False
    return one


def _require_one(failed: Mapping[str, tuple[str, int]], of: int) -> None:
    if len(failed) < of:
        return
    first, (message, _) = next(iter(failed.items()))
    codes = {code for _, code in failed.values()}
    raise NoneScored(f"all {of} sources failed, the first, {first}, with: {message}", 2 if codes == {2} else 1)


# Two sources.


def _pair(
    contenders: Sequence[Contender], done: Mapping[str, Scored], given: Mapping[str, str], console: Console
) -> dict[str, Any]:
    """Judge each score that two sources have in common, as one family, and print it."""
    first, second = contenders
    keys = [key for key in first.found.scores if key in second.found.scores]
    if not keys:
        raise ConfigError(f"{first.name} and {second.name} have no score in common; name some by metrics=[...]")
    for key in keys:
        _, refused = of_one_protocol(contenders, key)
        if refused:
            raise ConfigError(refused[0])
    pairs = [(first.name, second.name, key, first.replicates[key].minus(second.replicates[key])) for key in keys]
    judged = contrasts(pairs, {key: lower_is_better(key) for key in keys})
    for one in done.values():
        print_scores(one.title, one.found, console)
    _print_contrasts(f"{first.name} minus {second.name}", judged, console)
    return {"differences": _named([contrast.as_dict() for contrast in judged], given)}


def _print_contrasts(title: str, judged: Sequence[Contrast], console: Console) -> None:
    table = Table(title=title, title_justify="left", caption=_how(judged), caption_justify="left")
    table.add_column("score", overflow="fold")
    for column in ("difference", "95% interval", "p (Holm)"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for c in judged:
        ends = f"\\[{number(c.low)}, {number(c.high)}]" if number(c.low) else ""
        table.add_row(short(c.score), number(c.spread.value), ends, p_value(c.p), c.word)
    console.print(table)
    for c in judged:
        if c.advice:
            console.print(f"{short(c.score)}: {c.advice}", soft_wrap=True, markup=False, highlight=False)


def _how(judged: Sequence[Contrast]) -> str:
    """Say what the intervals are over, what they are paired by, and for how many comparisons words are corrected."""
    by: dict[str, list[str]] = {}
    for c in judged:
        by.setdefault(c.spread.how, []).append(c.score.rpartition("/")[2])
    paired = "; ".join(f"{how}: {', '.join(names)}" if len(by) > 1 else how for how, names in by.items())
    family = "" if len(judged) == 1 else f"; verdicts are corrected for {len(judged)} comparisons"
    return f"over images, not over trainings; {paired}{family}"


# A leaderboard.


def _leaderboard(
    contenders: Sequence[Contender],
    failed: Mapping[str, str],
    given: Mapping[str, str],
    output: Path,
    reference: str,
    console: Console,
) -> dict[str, Any]:
    """Make, write and print the leaderboard."""
    try:
        board = leaderboard(contenders, failed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    rows, made = _named(board.rows(), given), datetime.now().strftime("%Y-%m-%d %H:%M")
    output.mkdir(parents=True, exist_ok=True)
    (output / PAGE).write_text(render(board, reference, made, __version__), encoding="utf-8")
    without_formulas(pd.DataFrame(rows)).to_csv(output / TABLE, index=False)
    _print_board(board, f"against {reference}", console)
    console.print(f"Leaderboard: {(output / PAGE).absolute()}", soft_wrap=True, markup=False, highlight=False)
    return {
        "score": board.score,
        "lower_is_better": board.lower_is_better,
        "conclusion": board.sentences,
        "leaderboard": rows,
        "differences": _named([contrast.as_dict() for contrast in board.contrasts], given),
        "refused": list(board.refused),
        "page": str((output / PAGE).absolute()),
    }


def _print_board(board: Leaderboard, title: str, console: Console) -> None:
    table = Table(title=title, title_justify="left", caption=f"protocol {board.protocol.fingerprint()}")
    table.add_column("source", overflow="fold")
    for column in (short(board.score), "95% interval", "from the best", "p (Holm)"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for place in board.places:
        low, high = place.interval
        d = place.against_best
        ends = f"\\[{number(low)}, {number(high)}]" if number(low) else ""
        told = ("", "", "the best") if d is None else (number(d.spread.value), p_value(d.p), d.word)
        table.add_row(place.name, number(place.spread.value), ends, *told)
    console.print(table)
    for sentence in (*board.sentences, *(f"{reason}." for reason in board.refused)):
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
