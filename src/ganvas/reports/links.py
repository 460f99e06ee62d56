"""Addresses of a run: its page in the MLflow UI, and its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse
from urllib.request import url2pathname

from ganvas.storage.checkpoints import BEST, LAST
from ganvas.tracking.store import tracking_uri

LOCAL_UI = "http://127.0.0.1:5000"
"""Address at which ``ganvas ui`` serves a store that is no server itself."""


def ui_address() -> str:
    """Return the address of the MLflow UI, without a password."""
    uri = urlparse(tracking_uri())
    if uri.scheme not in ("http", "https"):
        return LOCAL_UI
    return f"{uri.scheme}://{uri.netloc.rpartition('@')[2]}{uri.path.rstrip('/')}"


def run_page(run: Any) -> str:
    """Return the address of a run's page in the MLflow UI.

    Args:
        run: row of the tidy table, with ``experiment`` and ``run_id``.
    """
    return f"{ui_address()}/#/experiments/{quote(str(run.experiment))}/runs/{quote(str(run.run_id))}"


def checkpoints(run: Any) -> dict[str, str]:
    """Return the addresses of a run's checkpoints by name: files on this machine, else the page of its artifacts.

    Args:
        run: row of the tidy table, with ``experiment``, ``run_id`` and ``artifacts``.
    """
    root = urlparse(str(run.artifacts))
    if root.scheme not in ("", "file"):
        return {"artifacts": f"{run_page(run)}/artifacts/checkpoints"}
    folder = Path(url2pathname(root.path)) / "checkpoints"
    files = [folder / name for name in (BEST, LAST)]
    return {file.stem: file.absolute().as_uri() for file in files if file.is_file()}
