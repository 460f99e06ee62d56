"""Copies to TensorBoard: event files in the output folder, in ``tensorboard``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import numpy as np

from ganvas.tracking.copies import Copy, Original

FOLDER: Final = "tensorboard"


@final
class TensorBoard(Copy):
    """Writes event files; the step is the number of images seen.

    A training that goes on hides what an earlier process wrote beyond its checkpoint, one that starts hides all that an
    earlier training wrote to the folder.

    Args:
        original: the run that is copied.
    """

    def __init__(self, original: Original) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from torch.utils.tensorboard import SummaryWriter

        self._hyperparameters = hparams_pb
        purged = 0 if original.seen is None else original.seen + 1
        self._writer: Any = SummaryWriter(str(original.output / FOLDER), purge_step=purged)

    def params(self, flat: Mapping[str, Any]) -> None:
        """See :meth:`Copy.params`; they stand in the table "HPARAMS", with the latest value of each number."""
        plain = {key: value if isinstance(value, bool | int | float) else str(value) for key, value in flat.items()}
        # Not add_hparams: it makes a run of its own for each call, and wants the names of all numbers in advance.
        self._writer.file_writer.add_summary(self._hyperparameters(plain))

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """See :meth:`Copy.metrics`."""
        for key, value in values.items():
            self._writer.add_scalar(key, value, step)
        self._writer.flush()  # a process that goes on from a checkpoint does not log again what came before it

    def image(self, key: str, image: np.ndarray, step: int) -> None:
        """See :meth:`Copy.image`."""
        self._writer.add_image(key, image, step, dataformats="HWC"[: image.ndim])
        self._writer.flush()

    def close(self, finished: bool) -> None:
        """See :meth:`Copy.close`."""
        self._writer.close()
