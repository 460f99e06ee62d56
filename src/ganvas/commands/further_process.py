"""A further process of a training with several, as :mod:`ganvas.run.further` has it started; not for users."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ganvas.errors import tell
from ganvas.run.further import read_job
from ganvas.run.training import train
from ganvas.tracking.signals import exit_code, is_interruption, stop_signals_raise


def main(file: str) -> int:
    """Train with the other processes; the first of them records, scores and says how to go on.

    Args:
        file: path of the file with config and request.

    Returns:
        The exit code that the first process has for the same end.
    """
    try:
        with stop_signals_raise():
            train(*read_job(Path(file)))
    except Exception as error:
        return tell(error, who=f"process {os.environ.get('LOCAL_RANK', '')}: ")
    except BaseException as stop:
        if not is_interruption(stop):
            raise
        return exit_code(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
