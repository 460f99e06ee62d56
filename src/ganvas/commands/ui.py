"""``ganvas ui``: the MLflow UI on the configured store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from ganvas.config import ConfigError
from ganvas.tracking.addresses import of_last_experiment
from ganvas.tracking.store import StoreError, existing_store, tracking_uri
from ganvas.tracking.sync import end_dead_runs
from ganvas.usage import Parser

_PATIENCE = 60.0
"""How long the server may take to answer before its addresses are given up."""
_SECONDS = 5.0
"""How long the server's processes may take to end before they are killed."""


def main(arguments: list[str]) -> None:
    """Serve the UI until interrupted.

    Args:
        arguments: arguments after ``ganvas ui``: ``--port N``, ``--host NAME``, ``--no-browser``.

    Raises:
        ConfigError: the host is empty, or the port is not free.
    """
    parser = Parser(prog="ganvas ui")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args(arguments)
    _require_free(options.host, options.port)
    server = f"http://{_reached(options.host)}:{options.port}"
    print(f"MLflow UI starts on {server} (store: {tracking_uri()}); Ctrl-C ends it", flush=True)
    with _served(_command(options.host, options.port)) as process:
        _end_dead_runs()
        if _answers(process, options.host, options.port):
            _show(server, open_browser=not options.no_browser)
        if code := process.wait():
            raise subprocess.CalledProcessError(code, process.args)


def _command(host: str, port: int) -> list[str]:
    """One worker suffices for one reader, and its log would hide the addresses."""
    quiet = ["--workers", "1", "--uvicorn-opts", "--log-level warning --no-access-log"]
    address = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri(), *address, *quiet]


def _answers(process: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the server answers; whether it does."""
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((_reached(host), port)) == 0:
                return True
        time.sleep(0.2)
    return False


def _show(server: str, open_browser: bool) -> None:
    """Print the addresses of the runs, and open the first in the browser of somebody who looks at a screen."""
    found = {"MLflow": server}
    with suppress(StoreError):  # there is no store yet
        found = of_last_experiment(server) or found
    for name, address in found.items():
        print(f"{name}: {address}", flush=True)
    has_screen = sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if open_browser and has_screen and sys.stdout.isatty():  # without a screen it would be a browser for terminals
        webbrowser.open(next(iter(found.values())))


def _end_dead_runs() -> None:
    """Correct what the page would show, while the server starts, which takes longer."""
    with suppress(StoreError):  # there is no store yet
        end_dead_runs(existing_store())


@contextmanager
def _served(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, and end it with all its descendants at the end of the block."""
    # Without the dozen processes for GenAI's jobs, and without warnings that concern the authors of MLflow.
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    # A group of its own, so that Ctrl-C reaches us alone; its errors go to stderr.
    server = subprocess.Popen(command, start_new_session=True, env=quiet, stdout=subprocess.DEVNULL)
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


def _reached(host: str) -> str:
    """Address at which this machine reaches the server."""
    return "127.0.0.1" if host == "0.0.0.0" else host


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
