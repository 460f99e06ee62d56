"""Measure what ganvas costs, against peers and against targets, and write the table of ``docs/benchmarks.md``.

Each part runs in a process of its own, alone; a time means nothing on a machine that does other work, so the load of
the machine stands in the result. Peers that are not installed are named and left out.

Usage: python scripts/benchmark.py [PART ...] [--rounds 5] [--threads 2] [--write]     # --list names the parts

``--write`` puts the rows into ``docs/benchmarks.json`` and the table into ``docs/benchmarks.md``; rows that were not
measured now stay as they were.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from benchmarks.rows import Found, Options, Part, Row, Skipped
from ganvas.scoring.protocol import library_versions

ROOT = Path(__file__).parents[1]
PAGE, RECORD = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.json"
BEGIN, END = "<!-- rows: made by scripts/benchmark.py -->", "<!-- end of rows -->"
MODULES = ("steps", "epochs", "extraction", "scores", "scale", "processes", "jobs", "reports", "memory")
HEAD = "| what | against | measured | target | | behind it |\n|---|---|---|---|---|---|"
MARK = "benchmark: "
"""Beginning of the line by which a part's process tells what it found."""


def parts() -> dict[str, Part]:
    """Return all parts by name."""
    found = [part for module in MODULES for part in import_module(f"benchmarks.{module}").PARTS]
    return {part.name: part for part in found}


def measured(name: str, options: Options) -> dict[str, Any]:
    """Measure a part in a process of its own; returns what is recorded of it."""
    command = [sys.executable, __file__, name, "--here", "--rounds", str(options.rounds)]
    load = os.getloadavg()[0]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, "--threads", str(options.threads)], env=environment, capture_output=True, text=True
    )
    said = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    found = json.loads(said[-1]) if said else {"failed": done.stderr.strip().splitlines()[-1:] or ["no output"]}
    return {**found, "date": str(date.today()), "load": round(load, 2), **options._asdict(), "machine": machine()}


def machine() -> dict[str, Any]:
    """Describe the machine, whose rows may stand beside those of another one."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"platform": platform.platform(), "cores": os.cpu_count(), "gpu": gpu, "versions": library_versions()}


def here(part: Part, options: Options) -> None:
    """Measure a part in this process, and print the line that :func:`measured` reads."""
    try:
        found: dict[str, Any] = {"rows": {name: asdict(row) for name, row in part.measure(options).items()}}
    except Skipped as reason:
        found = {"skipped": str(reason)}
    print(f"\n{MARK}{json.dumps(found)}", flush=True)


def table(record: dict[str, Any]) -> str:
    """Make the table: a row for each that was measured, and one for each part that could not be."""
    lines = [HEAD]
    for part in parts().values():
        if part.name in record:
            lines += [_line(row, record[part.name]) for row in part.rows]
    return "\n".join(lines)


def _line(row: Row, known: dict[str, Any]) -> str:
    target = "" if row.target is None else f"{row.target:.2g}"
    if "rows" not in known:
        why = known.get("skipped") or "; ".join(known["failed"])
        return f"| {row.name} | {row.against} | not measured | {target} | | {why} |"
    found = Found(**known["rows"][row.name])
    met = "" if row.target is None else "met" if statistics.median(found.values) <= row.target else "missed"
    return f"| {row.name} | {row.against} | {found.says()} | {target} | {met} | {found.note} |"


def write(record: dict[str, Any]) -> None:
    """Write the record, and the table between its marks in the page."""
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(record)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> None:
    """Measure the parts of the command line, print each, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    for flag in ("list", "write", "here"):
        parser.add_argument(f"--{flag}", action="store_true", help=argparse.SUPPRESS if flag == "here" else None)
    given = parser.parse_args()
    known, options = parts(), Options(given.rounds, given.threads)
    if unknown := [name for name in given.parts if name not in known]:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(known)}")
    if given.list or given.here:
        print("\n".join(known)) if given.list else here(known[given.parts[0]], options)
        return
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for name in given.parts or known:
        record[name] = measured(name, options)
        print(f"{name}: {json.dumps(record[name])}", flush=True)
        if given.write:
            write(record)


if __name__ == "__main__":
    main()
