"""The result of a measurement: scores, calibration, the protocol of each score, and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from torch import Tensor

from ganvas.health.finding import Finding
from ganvas.health.findings import by_name
from ganvas.metrics.base import Score
from ganvas.scoring.protocol import Protocol


@final
@dataclass(frozen=True)
class Found:
    """Scores of one subject and their context; mappings have the keys ``score/<kind>/<name>``.

    Args:
        scores: scores in the order of the table.
        protocols: how each score was measured.
        floor: scores of real images, if known.
        ceiling: scores of noise, or of a generator with one mode, if known.
        stand_ins: description of the images scored for ``floor`` and ``ceiling``, by these two names.
        findings: findings about the health of the model and its samples.
        notes: warnings for the reader of the scores, one sentence each.
        files: written pictures and arrays.
        details: further results by metric, for ``result.json``.
        terms: values of the single images, of each score that is a mean over images of the reference.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    protocols: dict[str, Protocol] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Tensor] = field(default_factory=dict)

    def __add__(self, other: Found) -> Found:
        """Combine two results; of equal findings one is kept."""
        return Found(*(_joined(getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__))

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints by key; scores are comparable if their fingerprints, twelve hexadecimal digits, are equal."""
        return {key: protocol.fingerprint() for key, protocol in self.protocols.items()}

    def values(self) -> dict[str, float]:
        """Values of the scores by key."""
        return {key: score.value for key, score in self.scores.items()}

    def as_dict(self) -> dict[str, Any]:
        """Convert to the entries of ``result.json`` that ``ganvas train`` and ``ganvas score`` share."""
        return {
            "scores": values_and_intervals(self.scores),
            "uncertainty": {key: s.sd_over for key, s in self.scores.items() if s.sd_over},
            "protocols": {key: protocol.as_dict() for key, protocol in self.protocols.items()},
            "fingerprints": self.fingerprints(),
            "calibration": {"floor": self.floor, "ceiling": self.ceiling, "of": self.stand_ins},
            "findings": by_name(self.findings),
            "notes": list(self.notes),
            **({"details": self.details} if self.details else {}),
        }


def _joined(one: Any, other: Any) -> Any:
    """Join two mappings, or two tuples without repeats."""
    return tuple(dict.fromkeys(one + other)) if isinstance(one, tuple) else one | other


def values_and_intervals(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    """Convert scores to the entries of ``result.json``."""
    return {key: {"value": s.value, "interval": s.interval} for key, s in scores.items()}
