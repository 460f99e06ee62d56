"""A run that says nothing: what every process but the first writes to, so that one training is one MLflow run."""

from __future__ import annotations

from typing import Any, final


@final
class SilentRun:
    """Takes what :class:`~ganvas.tracking.run.TrackedRun` takes, and drops it."""

    id = ""

    def metrics(self, values: Any, step: int) -> None:
        """Drop numbers."""

    def image(self, key: str, image: Any, step: int) -> None:
        """Drop a picture."""

    def tags(self, values: Any) -> None:
        """Drop tags."""

    def artifact(self, path: Any, folder: str | None = None) -> None:
        """Drop a file."""
