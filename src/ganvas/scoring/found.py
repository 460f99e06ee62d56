"""The result of a measurement: scores, what they are read against, how each was measured, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from ganvas.health.finding import Finding
from ganvas.health.findings import by_name
from ganvas.metrics.base import Score
from ganvas.scoring.protocol import Protocol


@final
@dataclass(frozen=True)
class Found:
    """Scores of one subject, by key ``score/<kind>/<name>``, and what belongs to them.

    Args:
        scores: in the order of the table.
        protocols: how each score was measured.
        floor: what real images score, where that is known.
        ceiling: what noise, or a generator with one mode, scores.
        stand_ins: what stood in the generator's place on these rows, by ``floor`` and ``ceiling``.
        findings: on the health of the model and its samples.
        notes: what a reader should know before believing the scores.
        files: pictures and arrays that were written.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    protocols: dict[str, Protocol] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def __add__(self, other: Found) -> Found:
        """Both together."""
        return Found(
            *(
                getattr(self, name) + getattr(other, name)
                if name in ("findings", "notes", "files")
                else getattr(self, name) | getattr(other, name)
                for name in self.__dataclass_fields__
            )
        )

    def fingerprints(self) -> dict[str, str]:
        """Twelve hexadecimal digits for each score, which decide what it compares with."""
        return {key: protocol.fingerprint() for key, protocol in self.protocols.items()}

    def values(self) -> dict[str, float]:
        """The numbers alone."""
        return {key: score.value for key, score in self.scores.items()}

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``result.json``, of ``ganvas train`` as of ``ganvas score``."""
        return {
            "scores": values_and_intervals(self.scores),
            "uncertainty": {key: s.sd_over for key, s in self.scores.items() if s.sd_over},
            "protocols": {key: protocol.as_dict() for key, protocol in self.protocols.items()},
            "fingerprints": self.fingerprints(),
            "calibration": {"floor": self.floor, "ceiling": self.ceiling, "of": self.stand_ins},
            "findings": by_name(self.findings),
            "notes": list(self.notes),
        }


def values_and_intervals(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    """Scores as ``result.json`` holds them.

    Args:
        scores: by key.
    """
    return {key: {"value": s.value, "interval": s.interval} for key, s in scores.items()}
