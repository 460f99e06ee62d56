"""Checkpoints that are never half written: each is written beside its place, forced to disk and moved over the old one.

If the disk is full or the process is killed in the middle of a write, the previous ``last.ckpt`` stays as it was. The
checkpoint before the last one is kept too, for the case that the disk damages the last one.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from pytorch_lightning import Callback, Trainer

from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.non_finite import raise_if_not_finite, raise_if_weights_not_finite
from ganvas.storage.checkpoints import LAST, PREVIOUS, damage, read, write
from ganvas.tracking.outcomes import NonFiniteError
from ganvas.tracking.signals import StoppedTogether, is_interruption
from ganvas.types import Watched

_logger = logging.getLogger("ganvas.run")


@final
class VerifiedFiles(CheckpointIO):
    """Files of a trainer, written with a digest, and read only if the content agrees with the digest."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """See :func:`ganvas.storage.checkpoints.write`."""
        write(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """See :func:`ganvas.storage.checkpoints.read`, which runs no code from the file and reads onto the CPU."""
        return read(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a file."""
        Path(path).unlink(missing_ok=True)


@final
class Checkpoints(Callback):
    """Saves ``last.ckpt`` during training, at its end and when somebody stops it, but never weights after a NaN.

    The previous ``last.ckpt`` becomes ``last-1.ckpt``, if it belongs to the same training and is not damaged.

    Args:
        folder: folder of the checkpoints; it is created.
        every: images between two saves.
        keep: number of older saves to keep as ``images-<n>.ckpt``; 0 keeps ``last.ckpt`` alone.
    """

    def __init__(self, folder: str | Path, every: int, keep: int) -> None:
        if keep < 0:
            raise ValueError(f"keep must be 0 or more, got {keep}; 0 keeps {LAST} alone")
        self._folder = Path(folder)
        self._every = Every(every)
        self._keep = keep
        self._saved: int | None = None
        self._goes_on = False

    @property
    def last(self) -> Path:
        """Return the path of the newest checkpoint."""
        return self._folder / LAST

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Let the trainer read and write verified files, before it reads the checkpoint that it resumes."""
        trainer.strategy.checkpoint_io = VerifiedFiles()

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._every.start(pl_module.images_seen)
        self._saved = None
        resumed = trainer.ckpt_path
        self._goes_on = resumed is not None and Path(resumed).resolve().parent == self._folder.resolve()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save when due, and after the last batch."""
        # The last save is made here, not in on_train_end: Lightning's counters would there say that the epoch is over,
        # and a run resumed with a larger budget would not train.
        if self._every.due(pl_module.images_seen) or trainer.should_stop:
            self._save(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Save at an end that no callback asked for: the data ran out, or there was nothing to do."""
        self._save(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Save the current weights, whatever ended the training; a NaN leaves the previous checkpoint."""
        stopped = is_interruption(exception)
        # Several processes save together: one that ends alone must not wait for the others.
        alone = trainer.world_size > 1 and not isinstance(exception, StoppedTogether)
        if alone or pl_module.images_seen == 0 or isinstance(exception, NonFiniteError):
            return
        try:
            self._save(trainer, pl_module)
        except Exception as error:
            if stopped:
                raise
            _logger.warning("no checkpoint of the failed training could be saved: %s", error)  # the failure is the news

    def _save(self, trainer: Trainer, model: Watched) -> None:
        if model.images_seen == self._saved:
            return
        raise_if_not_finite(model)
        raise_if_weights_not_finite(model)
        previous = self._folder / PREVIOUS
        write_atomically(trainer, self.last, previous if self._goes_on else None)
        if trainer.is_global_zero and not self._goes_on:
            previous.unlink(missing_ok=True)  # of another training in this folder
        if trainer.is_global_zero and self._keep:
            _copy(self.last, self._folder / f"images-{model.images_seen:012d}.ckpt")
            for old in sorted(self._folder.glob("images-*.ckpt"))[: -self._keep]:
                old.unlink()
        self._saved, self._goes_on = model.images_seen, True


@final
class KeepConfig(Callback):
    """Puts the resolved config into every checkpoint, so that the file alone is enough to build the model again.

    Args:
        config: the resolved config as YAML.
        origin: facts about the training that made the checkpoint, by name; plain values.
    """

    def __init__(self, config: str, origin: Mapping[str, Any]) -> None:
        self._config, self._origin = config, dict(origin)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Lightning's hook."""
        checkpoint["config"] = self._config
        checkpoint["origin"] = self._origin


def write_atomically(trainer: Trainer, path: Path, previous: Path | None = None) -> None:
    """Save the trainer's state; at every moment ``path`` holds the old state or the new one.

    Args:
        trainer: all its processes call this together.
        path: path of the checkpoint.
        previous: path for the old state, if it is not damaged; None drops it.

    Raises:
        OSError: the checkpoint cannot be written; names it and the free space.
    """
    try:
        _write(trainer, path, previous)
    except OSError as error:
        raise _explained(error, path) from error


def _write(trainer: Trainer, path: Path, previous: Path | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            _sync(partial)
            if previous is not None and path.is_file() and not damage(path):
                _copy(path, previous)
            os.replace(partial, path)
            _sync(path.parent)
    finally:
        if trainer.is_global_zero:
            partial.unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    """Give a checkpoint a second name that stays when the first one is moved over; replaces ``to`` atomically."""
    beside = to.with_name(f".{to.name}.partial")
    beside.unlink(missing_ok=True)
    try:
        _link(path, beside)
        os.replace(beside, to)
    finally:
        beside.unlink(missing_ok=True)


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, to)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, path: Path) -> OSError:
    free = {folder: shutil.disk_usage(folder).free / 1e6 for folder in (str(path.parent), tempfile.gettempdir())}
    room = ", ".join(f"{megabytes:,.0f} MB in {folder}" for folder, megabytes in free.items())
    kept = "The previous checkpoint is intact. " if path.exists() else ""
    message = f"cannot write the checkpoint {path}: {error.strerror or error} (free: {room}). {kept}"
    return OSError(error.errno, f"{message}Make room, or set paths.output to another disk and TMPDIR likewise")
