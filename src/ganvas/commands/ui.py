"""``ganvas ui``: the MLflow UI on the configured store."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from ganvas.config import ConfigError
from ganvas.tracking.store import StoreError, existing_store, tracking_uri
from ganvas.tracking.sync import end_dead_runs
from ganvas.usage import Parser

_SECONDS = 5.0
"""How long the server's processes may take to end before they are killed."""


def main(arguments: list[str]) -> None:
    """Serve the UI until interrupted.

    Args:
        arguments: arguments after ``ganvas ui``: ``--port N``, ``--host NAME``.

    Raises:
        ConfigError: the host is empty, or the port is not free.
    """
    parser = Parser(prog="ganvas ui", description="The MLflow UI on the configured store.")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(arguments)
    _require_free(options.host, options.port)
    print(f"MLflow UI on http://{options.host}:{options.port} (store: {tracking_uri()}); Ctrl-C ends it", flush=True)
    address = ["--host", options.host, "--port", str(options.port)]
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri(), *address]
    with _served(command) as server:
        _end_dead_runs()
        if code := server.wait():
            raise subprocess.CalledProcessError(code, command)


def _end_dead_runs() -> None:
    """Correct what the page would show, while the server starts, which takes longer."""
    with suppress(StoreError):  # there is no store yet
        end_dead_runs(existing_store())


@contextmanager
def _served(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, and end it with all its descendants at the end of the block."""
    server = subprocess.Popen(command, start_new_session=True)  # a group of its own, so that Ctrl-C reaches us alone
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    try:
        started = psutil.Process(server.pid)
        processes = [*started.children(recursive=True), started]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        _signal(process, psutil.Process.terminate)
    _, alive = psutil.wait_procs(processes, timeout=_SECONDS)
    for process in alive:
        _signal(process, psutil.Process.kill)
    server.wait()


def _signal(process: psutil.Process, how: Callable[[psutil.Process], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        how(process)


def _require_free(host: str, port: int) -> None:
    if not host.strip():
        raise ConfigError(
            "--host is empty, which would serve every network; write --host 127.0.0.1, or 0.0.0.0 for all"
        )
    if not 0 < port < 2**16:
        raise ConfigError(f"--port {port}: expected a number from 1 to 65535; write --port 5000")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot serve on {host}:{port}: {error.strerror}; write --port N with a free one"
            ) from error
