"""The further processes of a training, which read their config from a file.

Lightning starts them by the command line of the first process. That would begin the whole of it again: a sweep, a paper
or the user's program. Here each of them begins one training, whatever has begun the first one. When the training
ends, the first process forgets that it was one of several, so that the next training starts processes of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from ganvas.run.request import Job

MODULE: Final = "ganvas.commands.further_process"
"""Module that a further process runs, with the path of the file as its first argument."""


@contextmanager
def further_processes(trainer: Trainer, recipe: str, job: Job) -> Iterator[None]:
    """Let the trainer start its further processes by a file inside the block; nothing happens where it starts none.

    Args:
        trainer: Lightning's trainer.
        recipe: the resolved config as YAML.
        job: the request.
    """
    launcher = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher) or launcher.cluster_environment.creates_processes_externally:
        yield
        return
    with TemporaryDirectory(prefix="ganvas-") as folder, _one_of_several():
        file = Path(folder) / "job.json"
        told = {"config": recipe, "output": str(job.output.absolute())}
        file.write_text(json.dumps(told | {"choices": job.choices, "overrides": job.overrides}), encoding="utf-8")
        with _command_line([MODULE, str(file)]):
            yield


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
    """Replace what Lightning reads the command line of a further process from: the main module and its arguments."""
    main, own = sys.modules["__main__"], sys.argv
    spec = main.__spec__
    main.__spec__, sys.argv = find_spec(MODULE), arguments
    try:
        yield
    finally:
        main.__spec__, sys.argv = spec, own


@contextmanager
def _one_of_several() -> Iterator[None]:
    """Undo at the end what Lightning does to the first process: its rank and address, its threads, its group."""
    variables, threads = set(os.environ), torch.get_num_threads()
    try:
        yield
    finally:
        for name in set(os.environ) - variables:
            del os.environ[name]
        torch.set_num_threads(threads)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
