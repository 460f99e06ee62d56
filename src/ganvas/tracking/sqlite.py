"""The SQLite file of the default store: made beside its place and moved there whole, and recognised where it is broken.

MLflow makes its tables in dozens of steps. A start that is stopped between two of them would leave a file that no later
start can open.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

PREFIX: Final = "sqlite:///"
_OLD = "out-of-date database schema"
"""What MLflow says of a file whose making stopped between two of its versions, and of one that an older MLflow made."""
_opened: dict[str, tuple[int, int]] = {}
"""The file that each store had when this process last opened it."""
_HALF_MADE = re.compile(r"duplicate column name|table \S+ already exists|no such (table|column)|found version None")
"""What MLflow says of a file whose tables were not all made."""


def sqlite_file(uri: str) -> Path | None:
    """Path of the file that an address names; None if it names no file.

    Args:
        uri: address of a store.
    """
    path = uri.removeprefix(PREFIX)
    return None if path in (uri, "", ":memory:") else Path(path).absolute()


def identity(uri: str) -> tuple[int, int] | None:
    """Tell the file of a store from another of the same name; None for a server, and for a file that is not there.

    Args:
        uri: address of the store.
    """
    try:
        found = None if (file := sqlite_file(uri)) is None else file.stat()
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def reopen_if_replaced(uri: str) -> None:
    """Close the connections to a file that is not there any more, which MLflow would use for its successor.

    Args:
        uri: address of the store.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    found, before = identity(uri), _opened.get(uri)
    engine = getattr(SqlAlchemyStore, "_engine_map", {}).get(uri)
    if engine is not None and before is not None and found != before:
        engine.dispose()
    if found is not None:
        _opened[uri] = found


def make_tables(file: Path) -> None:
    """Make the tables in a new file, unless there is one; to be called under the lock of its creation.

    Args:
        file: path of the database; a file without content, which an earlier MLflow was stopped over, is replaced.
    """
    if file.exists() and file.stat().st_size:
        return
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    beside = file.with_name(f".{file.name}.new")
    for old in (beside, Path(f"{beside}-journal")):  # of a start that was killed
        old.unlink(missing_ok=True)
    engine = create_sqlalchemy_engine(f"{PREFIX}{beside}")
    try:
        _initialize_tables(engine)
        engine.dispose()
        os.replace(beside, file)
    finally:
        engine.dispose()
        beside.unlink(missing_ok=True)


def is_half_made(file: Path, said: str) -> bool:
    """Whether the making of a database was broken off.

    Args:
        file: path of the database.
        said: what MLflow said of it.
    """
    if not file.exists():
        return False
    return _HALF_MADE.search(said) is not None or (_OLD in said and runs_in(file) == 0)


def runs_in(file: Path) -> int:
    """Count the runs in a database; 0 if it cannot be read.

    Args:
        file: path of the database.
    """
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1.0)) as connection:
            return int(connection.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.Error:
        return 0
