"""Storage of studies: ``sweeps.db`` in the working folder, or an SQL server that many workers share.

Studies have a file of their own, because Optuna's and MLflow's tables share names and would break each other's
migrations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine import Engine, make_url

from ganvas.storage.locks import locked
from ganvas.sweeps import SweepError
from ganvas.tracking.outcomes import reason
from ganvas.tracking.store import without_password

BEAT = 15
"""Seconds between two heartbeats of a worker."""
GRACE = 90
"""Seconds without a heartbeat after which a worker on another host counts as dead."""
_PATIENCE = 120
"""Seconds to wait for the lock while another worker holds it."""

_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
"""Drivers that the extras ``postgres`` and ``mysql`` install, by dialect."""

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")


def storage_url(given: str | None) -> str:
    """Complete the address of a storage: an absolute path for SQLite, a driver for PostgreSQL and MySQL.

    Args:
        given: address as ``hydra.sweeper.storage`` gives it; None for ``sweeps.db`` in the working folder.
    """
    url = make_url(given or "sqlite:///sweeps.db")
    if url.drivername in _DRIVERS:
        url = url.set(drivername=f"{url.drivername}+{_DRIVERS[url.drivername]}")
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


@lru_cache(maxsize=4)
def open_storage(url: str) -> RDBStorage:
    """Connect to a storage and create its tables if there are none; the connection is kept for the process.

    Args:
        url: complete address, as :func:`storage_url` returns it.

    Raises:
        SweepError: the address cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sqlite = make_url(url).get_backend_name() == "sqlite"
    arguments = {"connect_args": {"timeout": _PATIENCE}} if sqlite else {"pool_pre_ping": True}
    try:
        with _LOCKS[make_url(url).get_backend_name()](url, None, "tables"):
            return RDBStorage(url, arguments, heartbeat_interval=BEAT, grace_period=GRACE)
    except Exception as error:
        fix = "hydra.sweeper.storage takes sqlite:///FILE, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"
        raise SweepError(without_password(f"cannot use the storage {url}: {reason(error)}; {fix}")) from error


def exclusively(storage: RDBStorage, name: str) -> AbstractContextManager[None]:
    """Lock of a study: one worker holds it at a time, over all machines; the death of its worker frees it.

    Args:
        storage: the SQL storage of the study.
        name: name of the study.
    """
    return _LOCKS[storage.engine.url.get_backend_name()](storage.url, storage.engine, name)


@contextmanager
def _file_lock(url: str, engine: Engine | None, name: str) -> Iterator[None]:
    file = Path(make_url(url).database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(f"{file}.lock"), _PATIENCE):
        yield


@contextmanager
def _server_lock(engine: Engine | None, url: str, take: str, leave: str, name: str) -> Iterator[None]:
    own = engine or sqlalchemy.create_engine(url)
    try:
        with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # MySQL answers 0 after the timeout; PostgreSQL has no timeout and answers nothing.
            if connection.execute(sqlalchemy.text(take), {"name": f"ganvas {name}"[:64]}).scalar() == 0:
                raise SweepError(
                    f"study {name}: another worker held the lock for {_PATIENCE} s; start the same command again"
                )
            try:
                yield
            finally:
                connection.execute(sqlalchemy.text(leave), {"name": f"ganvas {name}"[:64]})
    finally:
        if engine is None:
            own.dispose()


@contextmanager
def _postgresql_lock(url: str, engine: Engine | None, name: str) -> Iterator[None]:
    take, leave = (f"SELECT pg_advisory_{word}lock(hashtext(:name))" for word in ("", "un"))
    with _server_lock(engine, url, take, leave, name):
        yield


@contextmanager
def _mysql_lock(url: str, engine: Engine | None, name: str) -> Iterator[None]:
    with _server_lock(engine, url, f"SELECT GET_LOCK(:name, {_PATIENCE})", "SELECT RELEASE_LOCK(:name)", name):
        yield


_LOCKS: dict[str, Callable[[str, Engine | None, str], AbstractContextManager[None]]] = {
    "sqlite": _file_lock,
    "postgresql": _postgresql_lock,
    "mysql": _mysql_lock,
    "mariadb": _mysql_lock,
}
