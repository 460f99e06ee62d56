"""Opening a run: its journal in the output folder, its entry in the store, and what earlier processes logged of it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.default_context import DefaultRunContext

from ganvas.tracking import limits
from ganvas.tracking.entries import Target, begin
from ganvas.tracking.journal import DELIVERY, LOCAL, Cursor, Journal
from ganvas.tracking.outcomes import one_line
from ganvas.tracking.owner import Owner
from ganvas.tracking.store import StoreError, open_store, tracking_uri, without_password

JOURNAL_TAG: Final = "ganvas.journal"
"""Name of the run's journal: a run is found by it that was created just before its process was killed."""
_NO_RUN: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""Codes of the error for an id that no run has, and for a text that is no id."""
_PICTURE = re.compile(r"images/(.+)\+step\+(-?\d+)\+timestamp\+")


class NoSuchRunError(StoreError):
    """The store has no run with the id that is to go on."""

    exit_code = 2


Known = dict[tuple[str, int], float]
"""Value of each point, by key and images seen; NaN for a picture."""


def head(experiment: str, name: str, tags: Mapping[str, Any], offline: bool) -> dict[str, Any]:
    """Make the entry that a process begins with.

    Args:
        experiment: name of the MLflow experiment.
        name: name of the run.
        tags: searchable facts about the run.
        offline: whether the run has no store.
    """
    entries = limits.tags(DefaultRunContext().tags() | dict(tags))
    return {
        "kind": "begin",
        "time": int(time.time() * 1000),
        "experiment": experiment,
        "name": name,
        "tags": {tag.key: tag.value for tag in entries},
        "owner": Owner.me().as_dict(),
        "store": "" if offline else without_password(tracking_uri()),
    }


@contextmanager
def open_journal(output: Path, run_id: str | None, entry: Mapping[str, Any]) -> Iterator[tuple[Journal, Cursor, Known]]:
    """Open the journal of a run in an output folder, and write the entry that this process begins with.

    Args:
        output: output folder of the run.
        run_id: id of the run to go on with; None begins a new run.
        entry: see :func:`head`.

    Yields:
        The journal, how much of it the store has, and what earlier processes logged.

    Raises:
        JournalBusy: another process trains the run, or delivers it for more than two minutes.
    """
    found = None if run_id is None else Journal.of_run(output, run_id)
    journal = found or Journal.new(output)
    with journal.locked(DELIVERY):
        known = _logged(journal)
        cursor = journal.cursor()
        if run_id is not None and not run_id.startswith(LOCAL):
            cursor.run_id = run_id
        journal.append(entry)
        journal.persist()
        yield journal, cursor, known


def connect(journal: Journal, cursor: Cursor, entry: Mapping[str, Any]) -> MlflowClient:
    """Create the run in the store, or mark it as RUNNING; the cursor then names it.

    Args:
        journal: the run's journal.
        cursor: how much of the journal the store has; is saved.
        entry: the process's first entry.

    Raises:
        StoreError: the store cannot be used, or has no such run.
    """
    goes_on = cursor.run_id
    try:
        client, experiment_id = open_store(entry["experiment"])
        if goes_on:
            begin(Target(client, goes_on, journal), entry)
        else:
            cursor.run_id = create(client, experiment_id, journal, entry)
    except Exception as error:
        if _is_first(journal):
            shutil.rmtree(journal.folder, ignore_errors=True)  # nothing was logged
            with suppress(OSError):
                journal.folder.parent.rmdir()
        if isinstance(error, StoreError):
            raise
        if goes_on and isinstance(error, MlflowException) and error.error_code in _NO_RUN:
            raise NoSuchRunError(f"tracking.run_id={goes_on}: {tracking_uri()} has no such run") from error
        what = f"cannot go on with run {goes_on!r}" if goes_on else "cannot begin a run"
        raise StoreError(without_password(f"{what} in {tracking_uri()}: {one_line(error)}")) from error
    if _is_first(journal):  # the store has this entry now
        cursor.records = journal.size()
    journal.save(cursor)
    return client


def create(client: MlflowClient, experiment_id: str, journal: Journal, entry: Mapping[str, Any]) -> str:
    """Create the run of a journal, or find it if an earlier call was broken off after the store had created it.

    Args:
        client: client of the store.
        experiment_id: MLflow's id of the experiment.
        journal: the run's journal.
        entry: its first entry.

    Returns:
        MLflow's id of the run.
    """
    name = journal.folder.name
    if found := client.search_runs([experiment_id], f"tags.`{JOURNAL_TAG}` = '{name}'", max_results=1):
        return found[0].info.run_id
    tags = {**entry["tags"], JOURNAL_TAG: name}
    return client.create_run(experiment_id, entry["time"], tags, limits.name(entry["name"])).info.run_id


def known_in_store(client: MlflowClient, run_id: str) -> Known:
    """Read what the store has of a run whose journal is elsewhere.

    Args:
        client: client of the store.
        run_id: MLflow's id of the run.
    """
    keys = client.get_run(run_id).data.metrics
    known = {(key, m.step): m.value for key in keys for m in client.get_metric_history(run_id, key)}
    try:
        pictures = [_PICTURE.match(file.path) for file in client.list_artifacts(run_id, "images")]
    except (MlflowException, OSError):
        return known
    return known | {(picture(m[1]), int(m[2])): float("nan") for m in pictures if m}


def _is_first(journal: Journal) -> bool:
    """Whether the journal has one entry."""
    return next(journal.lines(), (b"", 0))[1] == journal.size()


def _logged(journal: Journal) -> Known:
    known: Known = {}
    for entry in journal.read():
        if entry["kind"] == "metrics":
            known |= {(key, entry["step"]): value for key, value in entry["values"].items()}
        elif entry["kind"] == "image":
            known[picture(entry["key"]), entry["step"]] = float("nan")
    return known


def picture(key: str) -> str:
    """Tell the key of a picture from that of a metric.

    Args:
        key: of the series.
    """
    return f"picture {key.replace('/', '~')}"
