"""Copies to Weights & Biases, or, with ``WANDB_MODE=offline``, to files that ``wandb sync`` uploads later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import numpy as np
from PIL import Image

from ganvas.tracking.copies import Copy, Original

SEEN: Final = "images_seen"
"""Horizontal axis of all charts. W&B's own step only counts the calls: it may not stand still or go back."""
_PATIENCE: Final = 60.0
"""Longest time that the end of a run waits for the upload, in seconds; W&B would wait for ever."""


@final
class WeightsAndBiases(Copy):
    """Writes to the project of the experiment's name, under MLflow's id of the run, so that a training goes on there.

    Args:
        original: the run that is copied.
    """

    def __init__(self, original: Original) -> None:
        import wandb

        self._image = wandb.Image
        self._run = wandb.init(
            project=original.experiment,
            id=original.id,
            name=original.name,
            dir=original.output,
            resume="allow",
            reinit="create_new",  # another run of this process, as a notebook has one, is not ours
            # The console belongs to ganvas's own display.
            settings=wandb.Settings(console="off", quiet=True, finish_timeout=_PATIENCE, finish_timeout_raises=True),
        )
        self._run.define_metric(SEEN)
        self._run.define_metric("*", step_metric=SEEN)

    def params(self, flat: Mapping[str, Any]) -> None:
        """See :meth:`Copy.params`; those of a run that goes on may have changed, as its budget."""
        self._run.config.update({key: _plain(value) for key, value in flat.items()}, allow_val_change=True)

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """See :meth:`Copy.metrics`."""
        self._run.log({**values, SEEN: step})

    def image(self, key: str, image: np.ndarray, step: int) -> None:
        """See :meth:`Copy.image`."""
        # As a picture: an array of small values would be taken for one in [0, 1].
        self._run.log({key: self._image(Image.fromarray(image)), SEEN: step})

    def close(self, finished: bool) -> None:
        """See :meth:`Copy.close`."""
        self._run.finish(exit_code=0 if finished else 1)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
