"""A project folder that was moved: MLflow's SQLite file holds absolute addresses, which are brought up to date.

The artifacts of a store ``DIR/mlflow.db`` are in ``DIR/mlruns``. After ``mv DIR NEW`` the file still names
``DIR/mlruns``: nothing would be found, and a new run would make the old folder again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlparse
from urllib.request import url2pathname

from ganvas.storage.best_effort import complain

MLRUNS: Final = "mlruns"
_ADDRESSES: Final = (("experiments", "artifact_location"), ("runs", "artifact_uri"))
_SECONDS: Final = 8.0


def follow_move(file: Path) -> None:
    """Point a store to the artifacts beside it, if those are the ones that it names at a place that is gone.

    Nothing is changed while the old place exists, or if no run of the store has artifacts beside the file.

    Args:
        file: the SQLite file of the store.
    """
    beside = file.parent / MLRUNS
    if not file.is_file() or not beside.is_dir():
        return
    try:
        with closing(sqlite3.connect(file, timeout=_SECONDS)) as store:
            for old in list(_gone(store, beside)):
                with store:
                    for table, column in _ADDRESSES:
                        store.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own names
                            f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                            (beside.as_uri(), len(old) + 1, old, len(old) + 1, f"{old}/"),
                        )
                complain(f"the store {file} was moved: its artifacts, recorded in {_path(old)}, are now in {beside}")
    except sqlite3.Error:
        return  # no store of MLflow, or not writable: whoever uses it says so


def _gone(store: sqlite3.Connection, beside: Path) -> Iterator[str]:
    """Yield the addresses of former folders of artifacts, some run of which has its artifacts beside the store."""
    found = store.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    for old in (address for (address,) in found if address and address.startswith("file:")):
        if not old.endswith(f"/{MLRUNS}") or old == beside.as_uri() or _path(old).exists():
            continue
        runs = store.execute(
            "SELECT run_uuid FROM runs WHERE substr(artifact_uri, 1, ?) = ?", (len(old) + 1, f"{old}/")
        )
        if any((beside / run_id).is_dir() for (run_id,) in runs):
            yield old


def _path(address: str) -> Path:
    return Path(url2pathname(urlparse(address).path))
