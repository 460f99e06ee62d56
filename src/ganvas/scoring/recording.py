"""Adding what was found to a run that has ended."""

from __future__ import annotations

from pathlib import Path

from ganvas.health.findings import health_metrics, health_tags
from ganvas.scoring.found import Found
from ganvas.tracking.log_scores import log_scores, protocol_tags


def log_found(run_id: str, found: Found, step: int, *files: Path) -> None:
    """Log scores, their protocols, findings and files.

    Args:
        run_id: of a run that exists.
        found: the scores.
        step: images seen.
        *files: further files, besides those of the scores.

    Raises:
        StoreError: the store did not take them.
    """
    tags = protocol_tags(found.fingerprints()) | health_tags(found.findings)
    log_scores(run_id, found.values() | health_metrics(found.findings), tags, (*files, *found.files), step)
