"""Commands in forked children of a process that has imported everything: cheap, and killed by a real SIGKILL.

A command passes *points*: just before and just after it appends to a journal, replaces a file, or calls the store. A
child can be killed or stopped at any of them, and its store can be away between two of them.
"""

import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.tracking import writer
from ganvas.tracking.journal import Journal

from ..histories import history

CALLS = ("create_run", "update_run", "log_batch", "log_artifact", "log_text", "log_inputs", "set_terminated", "set_tag")
INTERVAL = 0.02
"""Seconds between two deliveries; five as in a real run would hardly deliver anything in a run of a second."""


@dataclass
class Faults:
    """What happens to a child.

    Args:
        kill: point at which it gets a signal; 0 for none.
        by: number of the signal.
        away: first point, and point after the last, between which the store takes nothing.
    """

    kill: int = 0
    by: int = signal.SIGKILL
    away: tuple[int, int] = (0, 0)
    passed: int = 0

    def point(self):
        self.passed += 1
        if self.passed == self.kill:
            os.kill(os.getpid(), self.by)

    def around(self, holder, name):
        """Make a function pass a point before and after it works."""
        original = getattr(holder, name)
        is_call = holder is MlflowClient

        def passing(*args, **kwargs):
            self.point()
            if is_call and self.away[0] <= self.passed < self.away[1]:
                raise MlflowException(f"{name}: the store is away")
            found = original(*args, **kwargs)
            self.point()
            return found

        setattr(holder, name, passing)

    def arm(self):
        writer._INTERVAL = INTERVAL
        self.around(Journal, "append")
        self.around(os, "replace")
        for name in CALLS:
            self.around(MlflowClient, name)


def command(folder, arguments, faults=None, after=None):
    """Run a command in a folder.

    Returns:
        Exit code, or minus the number of the signal that killed it; and the points that it passed.
    """
    faults = faults or Faults()

    def work():
        faults.arm()
        return [main(arguments), faults.passed]

    child = fork(folder, work)
    if after is not None:
        child.kill_after(after)
    code, found = child.wait()
    return (found[0], found[1]) if code == 0 else (code, None)


def stored(folder, run_id):
    """History of a run, read by a child: a connection to SQLite must not be inherited."""
    code, found = fork(folder, lambda: history(run_id)).wait()
    assert code == 0, Path(folder, "said.txt").read_text()
    numbers, pictures = found
    return {key: [tuple(p) if isinstance(p, list) else p for p in points] for key, points in numbers.items()}, pictures


def statuses(folder):
    """Status of every run of the store, by id."""

    def read():
        client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
        found = client.search_runs([e.experiment_id for e in client.search_experiments()])
        return {run.info.run_id: run.info.status for run in found}

    code, found = fork(folder, read).wait()
    assert code == 0
    return found


class _Child:
    def __init__(self, pid, answer):
        self._pid, self._answer = pid, answer

    def kill_after(self, seconds):
        with suppress(ProcessLookupError):
            time.sleep(seconds)
            os.kill(self._pid, signal.SIGKILL)

    def wait(self):
        content = b""
        while part := os.read(self._answer, 1 << 16):
            content += part
        os.close(self._answer)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)  # what it started
        return code, json.loads(content) if content else None


def fork(folder, work, said="said.txt", limit=0):
    """Begin to call a function in a child.

    Args:
        folder: working folder of the child.
        work: the function; what it returns must be plain.
        said: file that gets the child's output.
        limit: seconds after which the child gets SIGALRM; 0 for none.
    """
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(write)
        return _Child(pid, read)
    code = 70
    try:
        os.close(read)
        os.setpgid(0, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout's handler raises, which a command may catch
        signal.alarm(limit)
        os.chdir(folder)
        os.environ["HOME"] = str(folder)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)
        os.write(write, json.dumps(work()).encode())
        code = 0
    except SystemExit as stop:  # of Hydra, after --help
        code = 0
        os.write(write, json.dumps([stop.code or 0, 0]).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
