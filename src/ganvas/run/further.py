"""The further processes of a training, which read their config from a file.

Lightning starts them by the command line of the first process. That would begin the whole of it again: a sweep, a paper
or the user's program. Here each of them begins one training, whatever has begun the first one. When the training
ends, the first process forgets that it was one of several, so that the next training starts processes of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from signal import Signals
from subprocess import Popen, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Final, final

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from ganvas.run.request import Job

MODULE: Final = "ganvas.commands.further_process"
"""Module that a further process runs, with the path of the file as its first argument."""
_SET: Final = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE", "OMP_NUM_THREADS")
"""Variables that Lightning sets in the first process."""
_GRACE: Final = 1.0
"""Seconds in which a further process can say what went wrong in it, after an error in the first one."""


@final
class ProcessKilledError(RuntimeError):
    """A signal killed a further process of the training.

    Args:
        local_rank: number of the process on its machine, from 1.
        signum: number of the signal.
    """

    def __init__(self, local_rank: int, signum: int) -> None:
        super().__init__(
            f"process {local_rank} of the training was killed by {Signals(signum).name}; a machine without free memory "
            "kills so: try a smaller batch_size or fewer trainer.devices"
        )


@contextmanager
def further_processes(trainer: Trainer, recipe: str, job: Job) -> Iterator[None]:
    """Let the trainer start its further processes by a file inside the block; nothing happens where it starts none.

    Args:
        trainer: Lightning's trainer.
        recipe: the resolved config as YAML.
        job: the request.

    Raises:
        ProcessKilledError: a signal killed a further process.
    """
    launcher = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher) or launcher.cluster_environment.creates_processes_externally:
        yield
        return
    with TemporaryDirectory(prefix="ganvas-") as folder, _one_of_several(launcher):
        file = Path(folder) / "job.json"
        told = {"config": recipe, "output": str(job.output.absolute())}
        file.write_text(json.dumps(told | {"choices": job.choices, "overrides": job.overrides}), encoding="utf-8")
        with _command_line([MODULE, str(file)]):
            yield


def release(trainer: Trainer) -> None:
    """Take the further processes from Lightning's observer, which kills the first process when another one has failed.

    The first process still has to save and to close its run; the others need it no longer.

    Args:
        trainer: Lightning's trainer, in any process.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        observed, launcher.procs = launcher.procs, list(launcher.procs)
        observed.clear()


def read_job(file: Path) -> tuple[DictConfig, Job]:
    """Read config and request of a training that another process has begun.

    Args:
        file: what :func:`further_processes` wrote.
    """
    told = json.loads(file.read_text(encoding="utf-8"))
    config = OmegaConf.create(told["config"])
    assert isinstance(config, DictConfig)
    return config, Job(Path(told["output"]), told["choices"], told["overrides"])


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    """Replace what Lightning reads the command line of a further process from: the main module and its arguments.

    The process finds the modules that this one finds, for example those beside the user's program.
    """
    main, own = sys.modules["__main__"], sys.argv
    spec = main.__spec__
    with _kept("PYTHONPATH"):
        main.__spec__, sys.argv = find_spec(MODULE), arguments
        os.environ["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
        try:
            yield
        finally:
            main.__spec__, sys.argv = spec, own


@contextmanager
def _one_of_several(launcher: _SubprocessScriptLauncher) -> Iterator[None]:
    """Undo at the end what Lightning does to the first process: its rank and address, its threads, its group.

    After an error the other processes are ended, since they would only wait for the first one.
    """
    threads = torch.get_num_threads()
    try:
        with _kept(*_SET):
            yield
    except BaseException as error:
        killed = _end(launcher.procs)
        if killed is not None and isinstance(error, Exception):
            raise killed from error  # the error says only that nobody answers
        raise
    finally:
        torch.set_num_threads(threads)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@contextmanager
def _kept(*names: str) -> Iterator[None]:
    """Give variables of the environment back at the end the values that they had."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def _end(processes: Sequence[Popen[bytes]]) -> ProcessKilledError | None:
    """End the processes that do not end by themselves; returns the error of one that a signal has killed before."""
    until = time.monotonic() + _GRACE
    for process in processes:
        with suppress(TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
    killed = [(i, -process.returncode) for i, process in enumerate(processes, 1) if (process.returncode or 0) < 0]
    for process in processes:
        process.kill()
    return ProcessKilledError(*killed[0]) if killed else None
