"""Printed tables of papers: the list of all papers, and the verdicts of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ganvas.papers.claims import KINDS, SOURCES, Paper
from ganvas.papers.record import results_file

STYLES = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}


def listing(papers: Sequence[Paper], results: Path) -> Table:
    """Make the list of papers: one row for each, with one line for each scale, its duration and last verdict.

    Args:
        papers: papers in the order of the rows.
        results: folder with ``<paper>/results/<scale>.json``.
    """
    table = Table(show_lines=True)
    for header in ("paper", "claim", "scale", "minutes", "last verdict here"):
        table.add_column(header, no_wrap=header != "claim")
    for paper in papers:
        last = [_last_verdict(results_file(results, paper.name, scale)) for scale in paper.minutes]
        minutes = [f"{minutes:g}" for minutes in paper.minutes.values()]
        cells = ([paper.name, paper.family], [paper.claim], paper.minutes, minutes, last)
        table.add_row(*("\n".join(lines) for lines in cells))
    return table


def _last_verdict(path: Path) -> str:
    if not path.is_file():
        return ""
    last = json.loads(path.read_text())
    return f"{_coloured(last['verdict'])} {last['protocol']['date']}"


def verdicts(content: Mapping[str, Any]) -> Table:
    """Make the table of one paper: for each claim the paper's number, ours, the verdict and its reason.

    Args:
        content: content of ``results/<scale>.json``.
    """
    table = Table(title=f"{content['paper']}, scale {content['scale']}", show_header=False, show_lines=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for claim in content["claims"]:
        lines = [
            f"[bold]{claim['says']}[/] ({claim['where']})",
            f"paper {paper_number(claim['paper'])}",
            f"ours  {our_number(claim['ours'])}",
            claim["reason"],
        ]
        table.add_row(_coloured(claim["verdict"]), "\n".join(lines))
    return table


def paper_number(paper: Mapping[str, Any]) -> str:
    """Write a paper's number with its ±, the kind of the ±, and its source if that is not the text.

    Args:
        paper: the entry ``paper`` of a claim in a results file.
    """
    source = "" if paper["source"] == "text" else f", {SOURCES[paper['source']]}"
    if paper["value"] is None:
        return "gives no number"
    spread = "" if paper["plus_minus"] is None else f" ± {paper['plus_minus']:g} ({KINDS[paper['kind']]})"
    return f"{paper['value']:g}{spread}{source}"


def our_number(ours: Mapping[str, Any]) -> str:
    """Write our number with its interval and its number of seeds.

    Args:
        ours: the entry ``ours`` of a claim in a results file.
    """
    if ours["estimate"] is None:
        return "not measured" if not ours["values"] else "not finite"
    seeds = f", n={len(ours['values'])}" if len(ours["values"]) > 1 else ""
    interval = "" if ours["interval"] is None else " [{:.4g}, {:.4g}]".format(*ours["interval"])
    return f"{ours['estimate']:.4g}{interval}{seeds}"


def _coloured(verdict: str) -> str:
    return f"[{STYLES[verdict]}]{verdict}[/]"
