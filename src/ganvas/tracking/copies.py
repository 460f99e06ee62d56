"""Copies of a run beside MLflow: its parameters, numbers and pictures, at a place that a researcher looks at anyway.

MLflow stays the record: nothing is read back from a copy, and what a report or a sweep needs is not in it. A copy that
fails is off, one line says so, and the training goes on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import Tensor

from ganvas.storage.best_effort import BestEffort
from ganvas.tracking.run import Run
from ganvas.tracking.views import View
from ganvas.types import Shape


@final
@dataclass(frozen=True)
class Original:
    """The run that is copied.

    Args:
        id: MLflow's id of the run.
        experiment: name of the MLflow experiment.
        name: name of the run.
        output: output folder of the run.
        seen: images that the model has seen when a training goes on; None if it starts.
    """

    id: str
    experiment: str
    name: str
    output: Path
    seen: int | None


class Copy(ABC):
    """A further place for what is logged of one run; any method may raise, and is not called again then."""

    @abstractmethod
    def params(self, flat: Mapping[str, Any]) -> None:
        """Log parameters.

        Args:
            flat: value by dotted name.
        """

    @abstractmethod
    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """Log numbers.

        Args:
            values: by key; may be NaN or infinite.
            step: images seen.
        """

    @abstractmethod
    def image(self, key: str, image: np.ndarray, step: int) -> None:
        """Log one picture of a series.

        Args:
            key: name of the series.
            image: ``uint8``, ``(h, w, c)`` or ``(h, w)``.
            step: images seen.
        """

    @abstractmethod
    def close(self, finished: bool) -> None:
        """Write what is left.

        Args:
            finished: whether the run ended without an error.
        """


@final
class CopiedRun(Run):
    """Passes everything on to a run, and parameters, numbers and pictures to its copies too.

    Args:
        run: the run that is copied.
        places: opens each copy, by the copy's name.
    """

    def __init__(self, run: Run, places: Mapping[str, Callable[[], Copy]]) -> None:
        self.id = run.id
        self._run = run
        self._copies: list[tuple[BestEffort, Copy]] = []
        for name, opened in places.items():
            self._open(BestEffort(f"copies to {name}"), opened)

    def params(self, flat: Mapping[str, Any]) -> None:
        """See :meth:`Run.params`."""
        self._run.params(flat)
        self._copy(lambda copy: copy.params(flat))

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """See :meth:`Run.metrics`."""
        self._run.metrics(values, step)
        self._copy(lambda copy: copy.metrics(values, step))

    def latest(self, prefix: str) -> dict[str, float]:
        """See :meth:`Run.latest`."""
        return self._run.latest(prefix)

    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """See :meth:`Run.image`."""
        self._run.image(key, image, step)
        array = image.permute(1, 2, 0).contiguous().cpu().numpy() if isinstance(image, Tensor) else image
        self._copy(lambda copy: copy.image(key, array, step))

    def tags(self, values: Mapping[str, Any]) -> None:
        """See :meth:`Run.tags`."""
        self._run.tags(values)

    def text(self, path: str, text: str) -> None:
        """See :meth:`Run.text`."""
        self._run.text(path, text)

    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """See :meth:`Run.artifact`."""
        self._run.artifact(path, folder)

    def dataset(self, name: str, fingerprint: str, split: str, shape: Shape, n: int, place: Path | None = None) -> None:
        """See :meth:`Run.dataset`."""
        self._run.dataset(name, fingerprint, split, shape, n, place)

    def view(self, view: View) -> None:
        """See :meth:`Run.view`."""
        self._run.view(view)

    def persist(self) -> None:
        """See :meth:`Run.persist`."""
        self._run.persist()

    def flush(self) -> None:
        """See :meth:`Run.flush`."""
        self._run.flush()

    def close(self, finished: bool) -> None:
        """Close the copies; the run itself stays open.

        Args:
            finished: whether the run ended without an error.
        """
        self._copy(lambda copy: copy.close(finished))

    def _open(self, attempt: BestEffort, opened: Callable[[], Copy]) -> None:
        attempt(lambda: self._copies.append((attempt, opened())))

    def _copy(self, act: Callable[[Copy], None]) -> None:
        for attempt, copy in self._copies:
            attempt(partial(act, copy))
