"""Where runs are kept: the MLflow store named by ``MLFLOW_TRACKING_URI``, else an SQLite file in the working folder.

MLflow retries an unreachable store for minutes before it says so. Here the first contact is impatient: a store that
does not answer is reported at once, with its address and a fix.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.tracking import MlflowClient
from mlflow.utils.uri import get_uri_scheme

_SQLITE = "sqlite:///"
_SECONDS = 8
"""How long a store may take to answer its first call."""
_SCHEMA_SECONDS = 120
"""How long another process may take to create the tables (3 s on a laptop; slow network disks need more)."""
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_SECONDS)}


class StoreError(RuntimeError):
    """The MLflow store cannot be used; the message names it and says what to do."""


def tracking_uri() -> str:
    """Address of the store: ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the working folder; always absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"{_SQLITE}mlflow.db"
    file = _sqlite_file(uri)
    return uri if file is None else f"{_SQLITE}{file}"


def open_store(experiment: str) -> tuple[MlflowClient, str]:
    """Connect, creating the SQLite store and the experiment where they do not exist.

    Safe when several processes do it at once.

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
            client = MlflowClient(uri)
        return client, _experiment_id(client, experiment, _artifact_root(uri))


def existing_store() -> MlflowClient:
    """Connect to a store to read it; none is created.

    Raises:
        StoreError: there is none, or it cannot be reached.
    """
    uri = tracking_uri()
    file = _sqlite_file(uri)
    if file is not None and not file.exists():
        raise StoreError(
            f"there is no MLflow store {uri}; go to the folder that `ganvas train` was called in, or set "
            "MLFLOW_TRACKING_URI to its address"
        )
    _hush()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one a downloaded picture
    with _explained(uri), impatient():
        _knock(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client


@contextmanager
def impatient() -> Iterator[None]:
    """Inside the block calls to an MLflow server fail in seconds; limits the user has set in the environment stand."""
    added = {key: value for key, value in _IMPATIENT.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


def without_password(text: str) -> str:
    """``text`` with the passwords of addresses blanked.

    Args:
        text: a message or an address.
    """
    return re.sub(r"://([^:/@\s]*):[^@/\s]+@", r"://\1:***@", text)


def _hush() -> None:
    """What the store has to say is in the StoreError; its own log would print the traceback beside it."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _sqlite_file(uri: str) -> Path | None:
    path = uri.removeprefix(_SQLITE)
    return None if path in (uri, "", ":memory:") else Path(path).absolute()


def _artifact_root(uri: str) -> str | None:
    """Folder of the artifacts; None leaves it to the server, which alone knows."""
    if get_uri_scheme(uri) not in DATABASE_ENGINES:
        return None
    file = _sqlite_file(uri)
    return ((file.parent if file else Path.cwd()) / "mlruns").as_uri()


def _creation_lock(uri: str) -> AbstractContextManager:
    """MLflow creates SQLite's tables without a lock: two first runs at once would break each other's migration."""
    file = _sqlite_file(uri)
    if file is None:
        return nullcontext()
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{file}.lock", timeout=_SCHEMA_SECONDS)


def _knock(uri: str) -> None:
    """One attempt at a database server, where MLflow's store would make ten over two minutes."""
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
            return client.create_experiment(name, artifact_location=artifact_root)
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
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:400]
        message = f"cannot use the MLflow store {uri}: {reason.rstrip('.')}. {_fix(uri)}"
        raise StoreError(without_password(message)) from error


def _fix(uri: str) -> str:
    if uri.startswith(("http:", "https:")):
        return "Is the server running? Start it, correct MLFLOW_TRACKING_URI, or unset it to log to ./mlflow.db."
    if file := _sqlite_file(uri):
        return f"Is {file.parent} a folder you may write to, with space left, and {file.name} an MLflow database?"
    return "Set MLFLOW_TRACKING_URI to http(s)://..., postgresql://... or sqlite:////..., or unset it for ./mlflow.db."
