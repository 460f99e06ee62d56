"""A run as everything that logs sees it: :class:`Run`, and the silent one.

The other final class, :class:`~ganvas.tracking.mlflow_run.MlflowRun`, writes to the MLflow store. The step of every
metric and image is the number of images seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import Tensor

from ganvas.tracking.views import View
from ganvas.types import Shape


class Run(ABC):
    """Takes what is logged of one run, without making the caller wait; :meth:`latest` and :meth:`flush` do wait.

    Attributes:
        id: MLflow's id of the run; empty for a run that is kept nowhere.
    """

    id: str

    @abstractmethod
    def params(self, flat: Mapping[str, Any]) -> None:
        """Log a flattened configuration.

        Args:
            flat: value by dotted name.
        """

    @abstractmethod
    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """Log numbers.

        Args:
            values: by key.
            step: images seen.
        """

    @abstractmethod
    def latest(self, prefix: str) -> dict[str, float]:
        """Read the latest value of each metric that is in the store already: those of a run that goes on.

        Args:
            prefix: beginning of the keys to read.
        """

    @abstractmethod
    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """Log one picture of a series.

        Args:
            key: name of the series.
            image: ``uint8``; a tensor is ``(c, h, w)`` as ``make_grid`` makes it, an array ``(h, w, c)`` or ``(h, w)``.
            step: images seen.
        """

    @abstractmethod
    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags.

        Args:
            values: by name.
        """

    @abstractmethod
    def text(self, path: str, text: str) -> None:
        """Log a text as an artifact.

        Args:
            path: relative to the run's artifacts.
            text: content of the artifact.
        """

    @abstractmethod
    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Log a file, which may later be replaced or removed, but not rewritten.

        Args:
            path: of the file here.
            folder: among the run's artifacts; None puts it at their top.
        """

    @abstractmethod
    def dataset(self, name: str, fingerprint: str, split: str, shape: Shape, n: int, place: Path | None = None) -> None:
        """Log a split that the run was trained or judged on.

        Args:
            name: name of the data set.
            fingerprint: SHA-256 of the split's content.
            split: ``"train"``, ``"val"`` or ``"test"``.
            shape: of one example.
            n: number of examples.
            place: file or folder that the examples were read from; None if they are drawn, or come with a package.
        """

    @abstractmethod
    def view(self, view: View) -> None:
        """Save a view of the run's experiment, unless it has one of that key.

        Args:
            view: any view.
        """

    @abstractmethod
    def persist(self) -> None:
        """Force what was logged to the disk here: what a checkpoint relies on must not be lost before it."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until everything logged is in the store.

        Raises:
            StoreError: some of it is not.
        """


@final
class SilentRun(Run):
    """Drops everything: the run of every process but the first, so that one training is one MLflow run."""

    id = ""

    def params(self, flat: Mapping[str, Any]) -> None:
        """Drop a configuration."""

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """Drop numbers."""

    def latest(self, prefix: str) -> dict[str, float]:
        """Return nothing: no store holds the run."""
        return {}

    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """Drop a picture."""

    def tags(self, values: Mapping[str, Any]) -> None:
        """Drop tags."""

    def text(self, path: str, text: str) -> None:
        """Drop a text."""

    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Drop a file."""

    def dataset(self, name: str, fingerprint: str, split: str, shape: Shape, n: int, place: Path | None = None) -> None:
        """Drop a data set."""

    def view(self, view: View) -> None:
        """Drop a view."""

    def persist(self) -> None:
        """Return at once."""

    def flush(self) -> None:
        """Return at once."""
