"""Delivery of journals after their runs: what a store did not take, and runs whose process died or had no store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.tracking import limits
from ganvas.tracking.artifacts import OUTPUT_TAG
from ganvas.tracking.delivery import Delivery, missing
from ganvas.tracking.hierarchy import NOT_LOGGED_TAG, OUTCOME_TAG
from ganvas.tracking.journal import DELIVERY, FOLDER, Cursor, Journal, JournalBusy, journals
from ganvas.tracking.opening import create
from ganvas.tracking.outcomes import INTERRUPTED, one_line
from ganvas.tracking.sqlite import sqlite_file
from ganvas.tracking.store import StoreError, no_retries, open_store, tracking_uri, without_password

_logger = logging.getLogger("ganvas.tracking")

_UNSAID: Final = ("begin", "end")
"""Entries that are not counted before the user."""


class NotDeliveredError(StoreError):
    """The store lacks something that was logged; it is in a journal."""

    exit_code = 1


@final
@dataclass(frozen=True)
class Synced:
    """What became of one journal.

    Args:
        journal: the journal.
        run_id: MLflow's id of the run; empty if no store has it.
        delivered: what was delivered now, by kind; of metrics the points.
        killed: whether the run's process had died and the run was ended as KILLED.
        problem: reason why something is not delivered; empty if all is.
        running: whether the run goes on, so that its own process delivers.
    """

    journal: Journal
    run_id: str = ""
    delivered: tuple[tuple[str, int], ...] = ()
    killed: bool = False
    problem: str = ""
    running: bool = False


def sync(folder: Path, anywhere: bool = False, patience: float | None = None) -> Iterator[Synced]:
    """Deliver the journals in a folder and below to the configured store, and end the runs whose process died.

    Args:
        folder: any folder, for example ``outputs``.
        anywhere: True also creates runs that were logged to another store than the configured one.
        patience: longest time to wait for another process that delivers a journal, see :meth:`Journal.locked`.

    Yields:
        What became of each journal that lacked delivery, or whose run had not ended.
    """
    for journal in journals(folder):
        if not journal.pending() and journal.is_ended():
            continue
        try:
            with no_retries(), journal.locked(patience):
                yield _synced(journal, anywhere)
        except JournalBusy:
            yield Synced(journal, running=True)


def end_dead_runs(client: MlflowClient) -> None:
    """End the runs as KILLED that the store holds as RUNNING and whose process died, and deliver what they logged.

    A run is left as it is if its output folder is on another machine, or its process lives.

    Args:
        client: client of the store.
    """
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    for run in client.search_runs(experiments, "attributes.status = 'RUNNING'"):
        output = run.data.tags.get(OUTPUT_TAG, "")
        with suppress(OSError):  # a folder of another user
            journal = Journal.of_run(Path(output), run.info.run_id) if output else None
            for one in [] if journal is None else sync(journal.folder):
                if one.killed:
                    _logger.warning("run %s in %s: its process had died; it is ended as KILLED", one.run_id, output)


def undelivered(folder: Path) -> list[Path]:
    """Output folders of runs of which the store lacks something; runs that go on or have no store are not among them.

    Args:
        folder: any folder.
    """
    return [journal.output for journal in journals(folder) if _has_store(journal) and _lacks(journal)]


def require_delivered(folder: Path) -> None:
    """Raise if the store lacks something that was logged below a folder.

    Args:
        folder: output folder of a command, whose results are written.

    Raises:
        NotDeliveredError: names the folder and how to deliver.
    """
    if found := sorted(set(undelivered(folder))):
        counts = f"the log of {len(found)} runs" if len(found) > 1 else "the log of the run"
        raise NotDeliveredError(
            f"the results are in {folder}, but the MLflow store did not take {counts}; it is kept in the journal there,"
            f" and `ganvas sync {folder}` delivers it"
        )


def deliver_dead(output: Path, but: str | None) -> None:
    """Deliver what processes that died left in an output folder, for example one that had not begun its run yet.

    Args:
        output: output folder of a training that begins.
        but: id of the run that the training goes on with; None if it begins one.
    """
    for journal in journals(output / FOLDER):
        if but is None or journal.cursor().run_id != but:
            for one in sync(journal.folder):
                _logger.debug("%s: %s", one.journal.folder, one)


def deliver_left(folder: Path) -> None:
    """Deliver what runs below a folder still lack whose process died, also after the end of its run.

    Args:
        folder: output folder of a sweep.
    """
    for output in undelivered(folder):
        deliver_dead(output, None)


def deliver_earlier(folder: Path, run_id: str, output: Path) -> None:
    """Deliver what a run left in another folder, before it goes on: a later delivery would repeat points.

    Args:
        folder: folder that the run went on from.
        run_id: MLflow's id of the run.
        output: folder that the run goes on in; a journal there is simply continued.

    Raises:
        StoreError: something cannot be delivered.
        JournalBusy: the run's process lives.
    """
    journal = Journal.of_run(folder, run_id)
    if journal is None or folder.resolve() == output.resolve():
        return
    for one in sync(journal.folder, patience=DELIVERY):
        if one.running:
            raise JournalBusy(f"run {run_id} is still trained by another process, in {folder}; wait for its end")
        if one.problem:
            raise StoreError(f"what run {run_id} logged in {folder} cannot be delivered: {one.problem}")


def _synced(journal: Journal, anywhere: bool) -> Synced:
    last, killed = journal.begun(), False
    if last is None:
        return Synced(journal, problem="its first entry cannot be read")
    if not journal.is_ended():
        if journal.is_trained():
            return Synced(journal, journal.cursor().run_id, running=True)
        _end_as_killed(journal)
        killed = True
    cursor = journal.cursor()
    try:
        client = _found_or_created(journal, cursor, last, anywhere)
        before = missing(journal, cursor)
        for queue in ("records", "files"):
            Delivery(client, journal, cursor, queue).deliver()
        _complete(client, journal, cursor)
    except Exception as error:
        reason = str(error) if isinstance(error, StoreError) else without_password(one_line(error))
        return Synced(journal, cursor.run_id, killed=killed, problem=reason)
    after = cursor.refused
    problem = ", ".join(f"{count} {kind} are refused" for kind, count in after.items())
    delivered = tuple((kind, count - after.get(kind, 0)) for kind, count in before.items() if kind not in _UNSAID)
    return Synced(journal, cursor.run_id, delivered, killed, problem)


def _found_or_created(journal: Journal, cursor: Cursor, last: dict[str, Any], anywhere: bool) -> MlflowClient:
    here = without_password(tracking_uri())
    is_new = (file := sqlite_file(tracking_uri())) is not None and not file.exists()
    elsewhere = StoreError(
        f"the run was logged to {last['store']}, and the store is now {here}, which does not have it; set"
        f" MLFLOW_TRACKING_URI to the old address, or write --anywhere to create the run here"
    )
    may_create = anywhere or last["store"] in ("", here)
    if is_new and not may_create:
        raise elsewhere
    client, experiment_id = open_store(last["experiment"])
    if cursor.run_id and _has_run(client, cursor.run_id):
        return client
    if not may_create:
        raise elsewhere
    cursor.rewind()
    first = next(journal.read())
    cursor.run_id = create(client, experiment_id, journal, first)
    journal.save(cursor)
    return client


def _has_run(client: MlflowClient, run_id: str) -> bool:
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _complete(client: MlflowClient, journal: Journal, cursor: Cursor) -> None:
    """Take back the mark of a run that lacked something."""
    if NOT_LOGGED_TAG in client.get_run(cursor.run_id).data.tags:
        client.delete_tag(cursor.run_id, NOT_LOGGED_TAG)
    journal.drop_files()


def _end_as_killed(journal: Journal) -> None:
    """End the run at the time of its last entry."""
    seen = int(journal.entries.stat().st_mtime * 1000)
    journal.append({"kind": "tags", "values": {tag.key: tag.value for tag in limits.tags({OUTCOME_TAG: INTERRUPTED})}})
    journal.append({"kind": "end", "status": "KILLED", "time": seen})
    journal.persist()


def _lacks(journal: Journal) -> bool:
    """Whether the store lacks something that no other process is about to deliver."""
    if not journal.incomplete():
        return False
    try:
        with journal.locked():
            return journal.incomplete()
    except JournalBusy:  # a job of another worker of the study
        return False
    except OSError:  # a folder of another user
        return True


def _has_store(journal: Journal) -> bool:
    """Whether the run's latest process logged to a store."""
    last = journal.begun()
    return last is None or bool(last["store"])
