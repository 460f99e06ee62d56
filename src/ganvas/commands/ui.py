"""``ganvas ui``: the MLflow UI on the configured store."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

from ganvas.config import ConfigError
from ganvas.tracking.store import tracking_uri


def main(arguments: list[str]) -> None:
    """Serve the UI until interrupted.

    Args:
        arguments: arguments after ``ganvas ui``: ``--port N``, ``--host NAME``.

    Raises:
        ConfigError: the port is not free.
    """
    parser = argparse.ArgumentParser(prog="ganvas ui", description="The MLflow UI on the configured store.")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(arguments)
    _require_free(options.host, options.port)
    print(f"MLflow UI on http://{options.host}:{options.port} (store: {tracking_uri()}); Ctrl-C ends it", flush=True)
    address = ["--host", options.host, "--port", str(options.port)]
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri(), *address]
    subprocess.run(command, check=True)


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot serve on {host}:{port}: {error.strerror}; write --port N with a free one"
            ) from error
