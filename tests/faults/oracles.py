"""Oracles of the fuzz: what must hold after any command line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

ALLOWED = {
    r"NonFiniteError": "the training diverged, which no check before it can know",
    r"not enough memory|can't allocate|Unable to allocate|MemoryError|cannot allocate": "the machine is too small",
}
"""Messages with which a command may end in 1: failures of training or of the machine, each with its reason."""
LEFT = re.compile(r"mlflow\.db\.lock|mlflow\.db-(wal|shm|journal)|.*\.lock")
_NOTE = re.compile(r"the store \S+ was moved|^study s: add|UserWarning|^ *warnings.warn")
"""Lines that are no refusal: what is said before it."""
ORACLES = {
    "traceback": "no traceback",
    "code": "exit code 0, 1 or 2",
    "hang": "ends within a minute",
    "one": "no bad input with exit code 1",
    "running": "no run stays RUNNING",
    "unnamed": "the message names its argument",
    "lines": "a refusal is one line",
    "hydra": "no line of Hydra's own about an error",
    "left": "a refusal leaves nothing",
    "accepted": "nothing impossible is accepted",
}


@dataclass(frozen=True)
class Seen:
    """What a case did.

    Args:
        code: exit code, or minus a signal.
        said: its output.
        left: new names in its folder.
        running: runs that are RUNNING after it.
        seconds: how long it took.
        names: words that a refusal must contain one of.
    """

    code: int
    said: str
    left: list[str]
    running: int
    seconds: float
    names: list[str]


def violated(case, seen):
    """Names of the oracles that a case violates."""
    message, said = _message(seen.said), [line for line in seen.said.splitlines() if not _NOTE.search(line)]
    left = [name for name in seen.left if not LEFT.fullmatch(name)]
    found = {
        "traceback": "Traceback (most recent" in seen.said,
        "code": seen.code not in (0, 1, 2) and seen.code != -14,
        "hang": seen.code == -14,
        "one": seen.code == 1 and not any(re.search(reason, message) for reason in ALLOWED),
        "running": seen.running > 0,
        "unnamed": seen.code == 2 and not any(_names(message, name) for name in seen.names),
        "lines": seen.code == 2 and len([line for line in said if line.strip()]) != 1 and not case.begins,
        "hydra": "Error executing job" in seen.said or "HYDRA_FULL_ERROR" in seen.said,
        "left": seen.code == 2 and bool(left) and not case.begins,
        "accepted": seen.code == 0 and case.expect == "bad",
    }
    return [name for name, wrong in found.items() if wrong]


def _message(said):
    lines = said.splitlines()
    begins = [i for i, line in enumerate(lines) if re.match(r"ganvas[\w ]*: ", line)]
    return "\n".join(lines[begins[-1] :]) if begins else said


def _names(message, name):
    """Whether a message holds a name, not inside a longer word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message) is not None or (
        len(name) > 40 and name[:40] in message
    )


def table(found):
    """Count the violations of each oracle, as Markdown."""
    counts = Counter(name for one in found for name in one["violated"])
    codes = Counter(one["code"] for one in found)
    rows = [f"| {what} | {counts[name]} |" for name, what in ORACLES.items()]
    head = f"{len(found)} cases, exit codes {dict(sorted(codes.items()))}, {sum(one['seconds'] for one in found):.0f} s"
    return "\n".join([head, "", "| oracle | violations |", "|---|---|", *rows])
