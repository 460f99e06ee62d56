"""``ganvas sync``: deliver what journals hold and the store lacks, and end the runs whose process died."""

from __future__ import annotations

from pathlib import Path

from ganvas.config import ConfigError
from ganvas.tracking.sync import NotDeliveredError, Synced, sync
from ganvas.usage import Parser

DEFAULT = "outputs"


def main(arguments: list[str]) -> None:
    """Deliver the journals below folders, one line for each.

    Args:
        arguments: arguments after ``ganvas sync``: folders, ``--anywhere``.

    Raises:
        ConfigError: a folder does not exist.
        NotDeliveredError: the store lacks something still.
    """
    parser = Parser(prog="ganvas sync")
    parser.add_argument("folders", nargs="*", metavar="DIR")
    parser.add_argument("--anywhere", action="store_true")
    options = parser.parse_args(arguments)
    for folder in options.folders:
        if not Path(folder).is_dir():
            raise ConfigError(f"{folder}: not a folder; give output folders of ganvas train, or none for ./{DEFAULT}")
    done: list[Synced] = []
    for folder in options.folders or [DEFAULT]:
        for one in sync(Path(folder), options.anywhere):
            done.append(one)
            print(_said(one), flush=True)
    failed = [one for one in done if one.problem]
    if failed:
        raise NotDeliveredError(f"{len(failed)} of {len(done)} journals are not delivered, see above")
    if not done:
        print("nothing to deliver: the store has all that the journals hold")


def _said(one: Synced) -> str:
    run = f"run {one.run_id or one.journal.local_id}"
    if one.running:
        return f"{one.journal.output}: {run} goes on, and delivers by itself"
    ended = "; its process had died, so it has the status KILLED" if one.killed else ""
    if one.problem:
        return f"{one.journal.output}: {run}{ended}: not delivered: {one.problem}"
    counts = ", ".join(f"{count} {kind}" for kind, count in one.delivered) or "nothing new"
    return f"{one.journal.output}: {run}: delivered {counts}{ended}"
