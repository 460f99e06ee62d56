"""What a measure returns: scores, what they are read against, how they were measured, and what looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from ganvas.health.finding import Finding
from ganvas.health.findings import by_name
from ganvas.scoring.evaluation import values_and_intervals
from ganvas.scoring.protocol import Protocol
from ganvas.scoring.scores import Score
from ganvas.storage.digest import digest


@final
@dataclass(frozen=True)
class Found:
    """Scores of one or several measures.

    Args:
        scores: by key ``score/<kind>/<metric>``.
        floor: what real images score, by the same keys, where that is known.
        ceiling: what noise, or a generator with one mode, scores.
        stand_ins: what stood in the generator's place on these rows, by ``floor`` and ``ceiling``.
        conditions: of each score, by key: everything that it depends on besides the model.
        protocol: of the scores from features; None where there are none.
        findings: on the health of the model.
        notes: what a reader should know before believing the scores.
        files: pictures and arrays that were written.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    protocol: Protocol | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def fingerprints(self) -> dict[str, str]:
        """Of every score by key: twelve hexadecimal digits that decide what it compares with."""
        return {key: self._fingerprint(key) for key in self.scores}

    def fingerprint(self) -> str:
        """Of the scores from features, or of all conditions together where there are none."""
        return self.protocol.fingerprint() if self.protocol is not None else digest(self.conditions)[:12]

    def as_dict(self) -> dict[str, Any]:
        """For ``result.json``."""
        return {
            "scores": values_and_intervals(self.scores),
            "uncertainty": {key: s.sd_over for key, s in self.scores.items() if s.sd_over},
            "protocol": self.protocol and self.protocol.as_dict(),
            "fingerprint": self.fingerprint(),
            "conditions": self.conditions,
            "fingerprints": self.fingerprints(),
            "calibration": {"floor": self.floor, "ceiling": self.ceiling, "of": self.stand_ins},
            "findings": by_name(self.findings),
            "notes": list(self.notes),
        }

    def _fingerprint(self, key: str) -> str:
        if key in self.conditions:
            return digest(self.conditions[key])[:12]
        assert self.protocol is not None
        return self.protocol.fingerprint()


def together(parts: Sequence[Found]) -> Found:
    """All findings as one.

    Args:
        parts: in the order of the table; at most one has a protocol.
    """
    protocols = [part.protocol for part in parts if part.protocol is not None]
    return Found(
        scores={key: score for part in parts for key, score in part.scores.items()},
        floor={key: value for part in parts for key, value in part.floor.items()},
        ceiling={key: value for part in parts for key, value in part.ceiling.items()},
        stand_ins={row: of for part in parts for row, of in part.stand_ins.items()},
        conditions={key: value for part in parts for key, value in part.conditions.items()},
        protocol=protocols[0] if protocols else None,
        findings=tuple(finding for part in parts for finding in part.findings),
        notes=tuple(note for part in parts for note in part.notes),
        files=tuple(path for part in parts for path in part.files),
    )
