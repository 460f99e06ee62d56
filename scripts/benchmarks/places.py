"""An empty working folder, in which ganvas makes a store of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_an_empty_folder() -> Iterator[None]:
    """Work in a new folder inside the block, with the store that ganvas makes there."""
    here = Path.cwd()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
