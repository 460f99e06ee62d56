"""The MLflow store, named by ``MLFLOW_TRACKING_URI``, else an SQLite file in the working folder.

MLflow retries for minutes before it reports a store that it cannot reach. Here the first call fails within seconds, and
the error names the address and a fix.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.tracking import MlflowClient
from mlflow.utils.uri import get_uri_scheme

from ganvas.storage.locks import locked
from ganvas.tracking.moved import MLRUNS, follow_move
from ganvas.tracking.outcomes import reason
from ganvas.tracking.sqlite import PREFIX, is_half_made, make_tables, reopen_if_replaced, runs_in, sqlite_file
from ganvas.tracking.views import experiment_tags

_SECONDS = 8
"""How long a store may take to answer its first call."""
_SCHEMA_SECONDS = 120
"""How long another process may take to create the tables (3 s on a laptop; slow network disks need more)."""
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_NO_RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
_IMPATIENT = {**_NO_RETRIES, "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_SECONDS)}


class StoreError(RuntimeError):
    """The MLflow store cannot be used; the message names it and a fix."""


class NoStoreError(StoreError):
    """The SQLite file that a command reads from does not exist."""

    exit_code = 2


class HalfMadeStoreError(StoreError):
    """The making of the SQLite file was broken off; it never opens again."""

    exit_code = 2


def tracking_uri() -> str:
    """Return the absolute address of the store: ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"{PREFIX}mlflow.db"
    file = sqlite_file(uri)
    return uri if file is None else f"{PREFIX}{file}"


def open_store(experiment: str) -> tuple[MlflowClient, str]:
    """Connect to the store, and create the SQLite file and the experiment if they do not exist.

    Several processes may do so at the same time.

    Args:
        experiment: name of the MLflow experiment.

    Returns:
        A client of the store, and the experiment's id.

    Raises:
        StoreError: the store cannot be reached, read or written.
    """
    uri = tracking_uri()
    _hush()
    with _explained(uri), impatient():
        with _creation_lock(uri):
            _knock(uri)
            if file := sqlite_file(uri):
                make_tables(file)
                reopen_if_replaced(uri)
                follow_move(file)
            client = MlflowClient(uri)
        return client, _experiment_id(client, experiment, _artifact_root(uri))


def existing_store() -> MlflowClient:
    """Connect to an existing store to read it.

    Raises:
        NoStoreError: the store is an SQLite file that does not exist.
        StoreError: the store cannot be reached.
    """
    uri = tracking_uri()
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        raise NoStoreError(
            f"there is no MLflow store {uri}; go to the folder that `ganvas train` was called in, or set "
            "MLFLOW_TRACKING_URI to its address"
        )
    _hush()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one a downloaded picture
    with _explained(uri), impatient():
        _knock(uri)
        if file := sqlite_file(uri):
            follow_move(file)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client


@contextmanager
def impatient() -> Iterator[None]:
    """Let calls to an MLflow server fail within seconds inside the block; limits in the environment have priority."""
    with _set(_IMPATIENT):
        yield


@contextmanager
def no_retries() -> Iterator[None]:
    """Leave it to the caller to call a server again, inside the block; a long upload may take its time."""
    with _set(_NO_RETRIES):
        yield


@contextmanager
def _set(limits: Mapping[str, str]) -> Iterator[None]:
    added = {key: value for key, value in limits.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


def without_password(text: str) -> str:
    """Blank the passwords in addresses.

    Args:
        text: message or address.
    """
    return re.sub(r"://([^:/@\s]*):[^@/\s]+@", r"://\1:***@", text)


def _hush() -> None:
    """Silence the store's own log, which would print a traceback beside the StoreError."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _artifact_root(uri: str) -> str | None:
    """Choose the folder of the artifacts; None if a server chooses it."""
    if get_uri_scheme(uri) not in DATABASE_ENGINES:
        return None
    file = sqlite_file(uri)
    return ((file.parent if file else Path.cwd()) / MLRUNS).as_uri()


def _creation_lock(uri: str) -> AbstractContextManager:
    """Lock the creation of SQLite's tables; without a lock two first runs would break each other's migration."""
    file = sqlite_file(uri)
    if file is None:
        return nullcontext()
    file.parent.mkdir(parents=True, exist_ok=True)
    return locked(Path(f"{file}.lock"), _SCHEMA_SECONDS)


def _knock(uri: str) -> None:
    """Try once to connect to a database server; MLflow's store would try ten times in two minutes."""
    if get_uri_scheme(uri) not in _PORTS:
        return
    from mlflow.store.db.utils import create_sqlalchemy_engine
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.host:
        socket.create_connection((url.host, url.port or _PORTS[get_uri_scheme(uri)]), timeout=_SECONDS).close()
    engine = create_sqlalchemy_engine(uri)
    engine.connect().close()
    engine.dispose()


def _experiment_id(client: MlflowClient, name: str, artifact_root: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return client.create_experiment(name, artifact_location=artifact_root, tags=experiment_tags())
        except MlflowException:  # another process was first, or it is a real refusal: the next line tells
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        raise ValueError(
            f"experiment {name!r} is deleted; use another tracking.experiment, or bring it back with"
            f" `mlflow experiments restore --experiment-id {experiment.experiment_id}`"
        )
    return experiment.experiment_id


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if (file := sqlite_file(uri)) and is_half_made(file, str(error)):
            raise HalfMadeStoreError(_how_to_mend(file)) from error
        message = f"cannot use the MLflow store {uri}: {reason(error).rstrip('.')}. {_fix(uri)}"
        raise StoreError(without_password(message)) from error


def _how_to_mend(file: Path) -> str:
    runs = runs_in(file)
    held = f"it holds {runs} runs, so keep a copy" if runs else "it holds no run, so nothing is lost"
    return (
        f"the MLflow store {file} is half made: the making of its tables was broken off, and it cannot be opened again."
        f" Move it away ({held}) and start again: mv '{file}' '{file}.broken'"
    )


def _fix(uri: str) -> str:
    if uri.startswith(("http:", "https:")):
        return "Is the server running? Start it, correct MLFLOW_TRACKING_URI, or unset it to log to ./mlflow.db."
    if file := sqlite_file(uri):
        return f"Is {file.parent} a folder you may write to, with space left, and {file.name} an MLflow database?"
    return "Set MLFLOW_TRACKING_URI to http(s)://..., postgresql://... or sqlite:////..., or unset it for ./mlflow.db."
