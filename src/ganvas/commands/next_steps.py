"""What can be done next, in commands to copy: after a run, after a sweep, and after Ctrl-C."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ganvas.storage.checkpoints import LAST


def say_next(result: Mapping[str, Any], source: str, console: Console) -> None:
    """Print id and folder of a run, and commands that go on from it.

    Args:
        result: content of the run's ``result.json``.
        source: the run as ``ganvas score`` takes it: its id, or its folder if no store knows the id yet.
        console: prints the lines.
    """
    folder, more = Path(result["output"]), 2 * result["images_seen"]
    say(console, f"run {result['run_id']}", f"in  {short(folder)}/ (samples.png, last.ckpt, result.json)", "next:")
    commands = [
        (f"ganvas score {shlex.quote(source)} metrics=[prdc]", "more scores"),
        (f"ganvas sample {shlex.quote(source)}", "new samples"),
        (f"ganvas train resume={_quoted(folder / LAST)} budget.images={more}", "train on"),
        ("ganvas ui", "all runs"),
    ]
    _list(console, commands)


def say_next_of_study(study: Mapping[str, Any], folder: Path, console: Console) -> None:
    """Print name and folder of a study, and commands that go on from it.

    Args:
        study: content of the study's ``result.json``.
        folder: its output folder.
        console: prints the lines.
    """
    pictures = f"{short(folder)}/**/samples.png"
    say(console, f"study {study['study']}", f"in  {short(folder)}/ (sample grids: {pictures})", "next:")
    commands = [
        (f"ganvas report {shlex.quote(study['study'])}", "compare"),
        ("ganvas ui", "all runs"),
        (f"the same line with study={study['study']}", "add runs"),
    ]
    _list(console, commands)


def stopped(folder: Path) -> str:
    """Say what is left of a training that was stopped, and how to go on.

    Args:
        folder: output folder of the run.
    """
    if (folder / LAST).exists():
        return f"interrupted: the run has status KILLED; `ganvas train resume={_quoted(folder / LAST)}` goes on from it"
    return f"interrupted before the first checkpoint: nothing is kept in {short(folder)} to go on from"


def short(path: Path) -> str:
    """Write a path relative to the working folder if it lies in it.

    Args:
        path: an absolute or relative path.
    """
    here = Path.cwd()
    return os.path.relpath(path, here) if here in path.absolute().parents else str(path)


def _quoted(path: Path) -> str:
    """Quote a path for Hydra and for the shell, if one of them would not take it as it is."""
    text = short(path)
    plain = all(character.isalnum() or character in "/._-" for character in text)
    return text if plain else shlex.quote("'" + text.replace("'", "\\'") + "'")


def _list(console: Console, commands: Sequence[tuple[str, str]]) -> None:
    """Print what each command is for, and the command behind it."""
    width = max(len(what) for _, what in commands)
    say(console, *(f"  {what.ljust(width)}  {command}" for command, what in commands))


def say(console: Console, *lines: str) -> None:
    """Print lines as they are: without markup, and not broken.

    Args:
        console: prints the lines.
        *lines: the lines.
    """
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
