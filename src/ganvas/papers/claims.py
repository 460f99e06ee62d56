"""Claims of a paper, read from ``experiments/<paper>/claims.yaml``; every field is checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, final

from omegaconf import OmegaConf

from ganvas.config import ConfigError

SCALES: Final = ("smoke", "cpu", "full")
"""Sizes of a reproduction: protocol and closed forms in 2 minutes on two cores; under an hour; the paper's budget."""
SOURCES: Final = {
    "text": "the paper's text",
    "code": "the authors' code",
    "repro": "a public reproduction",
    "calc": "computed exactly, or measured by us",
    "memory": "recalled only: shown, never judged",
}
KINDS: Final = {
    "none": "no uncertainty is given",
    "se_test": "standard error over test examples",
    "se_trials": "standard error over trials",
    "sd_seeds": "standard deviation over seeds",
}


@final
@dataclass(frozen=True)
class Band:
    """A closed interval of values that reproduce a claim.

    Args:
        low: smallest value inside; minus infinity for a band without a lower end.
        high: largest value inside; infinity for a band without an upper end.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"band: low={self.low} must be at most high={self.high}")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def meets(self, low: float, high: float) -> bool:
        """Whether the interval from ``low`` to ``high`` overlaps the band; false for NaN ends."""
        return low <= self.high and high >= self.low

    def __str__(self) -> str:
        if self.low == -math.inf:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high == math.inf else f"[{self.low:g}, {self.high:g}]"


@final
@dataclass(frozen=True)
class Claim:
    """One number of a paper, and the values that count as a reproduction of it.

    Args:
        id: key of our measurement.
        says: the claim in one line.
        where: table, figure or equation of the paper.
        value: the paper's number; None if the paper only shows a figure.
        plus_minus: the number after ±; None if the paper gives none.
        kind: kind of the ±, a key of :data:`KINDS`.
        source: source of the number, a key of :data:`SOURCES`.
        scale: scale at which the claim is judged, one of :data:`SCALES`.
        band: values that reproduce the claim.
        unclear: a wider band whose values neither pass nor fail; None if there is no such band.
        seeds: number of seeds that PASS and FAIL need, at least 1.
    """

    id: str
    says: str
    where: str
    value: float | None
    plus_minus: float | None
    kind: str
    source: str
    scale: str
    band: Band
    unclear: Band | None
    seeds: int

    def __post_init__(self) -> None:
        for field, known in (("kind", KINDS), ("source", SOURCES), ("scale", SCALES)):
            if getattr(self, field) not in known:
                raise ValueError(f"{self.id}: {field}={getattr(self, field)!r}; known are {', '.join(known)}")
        if self.seeds < 1:
            raise ValueError(f"{self.id}: seeds={self.seeds} must be at least 1")
        if (self.plus_minus is None) != (self.kind == "none"):
            raise ValueError(
                f"{self.id}: plus_minus={self.plus_minus} with kind={self.kind}; give both, or null and none"
            )


@final
@dataclass(frozen=True)
class Paper:
    """A paper and its claims.

    Args:
        name: name of its folder under ``experiments/``.
        title: authors, year, title.
        url: address of the paper.
        claim: its message in one line.
        family: GAN, WGAN, VAE, or several of them.
        minutes: duration on two cores by scale, for the scales that exist; its README gives GPU hours for ``full``.
        claims: claims in the order of the table.
    """

    name: str
    title: str
    url: str
    claim: str
    family: str
    minutes: dict[str, float]
    claims: tuple[Claim, ...]

    def at(self, scale: str) -> tuple[Claim, ...]:
        """Select the claims that are judged at a scale.

        Raises:
            ConfigError: the paper has no such scale.
        """
        if scale not in self.minutes:
            raise ConfigError(f"{self.name} has no scale {scale!r}; it has {', '.join(self.minutes)}")
        return tuple(claim for claim in self.claims if claim.scale == scale)


def paper_names() -> list[str]:
    """List the papers that have claims, in alphabetical order."""
    return sorted(f.name for f in files("ganvas.experiments").iterdir() if (f / "claims.yaml").is_file())


def read_paper(name: str) -> Paper:
    """Read and check the claims of one paper.

    Args:
        name: name of the paper's folder under ``experiments/``.

    Raises:
        ConfigError: there is no such paper.
        ValueError: a claim that is not well formed.
    """
    if name not in paper_names():
        raise ConfigError(f"no paper {name!r}; known are {', '.join(paper_names())}")
    text = (files("ganvas.experiments") / name / "claims.yaml").read_text()
    return parse(name, OmegaConf.to_container(OmegaConf.create(text)))  # type: ignore[arg-type]


def parse(name: str, content: Mapping[str, Any]) -> Paper:
    """Make a paper from the content of its ``claims.yaml``.

    Args:
        name: name of the paper's folder under ``experiments/``.
        content: fields of :class:`Paper` without its name.

    Raises:
        ValueError: a field that is missing or unknown, or a value out of its range.
    """
    top = {"name": name, **content}
    _same_fields(name, top, Paper)
    claims = tuple(_claim(name, entry) for entry in top["claims"])
    if unknown := set(top["minutes"]) - set(SCALES):
        raise ValueError(f"{name}: unknown scale {', '.join(sorted(unknown))}; known are {', '.join(SCALES)}")
    if unserved := {claim.scale for claim in claims} - set(top["minutes"]):
        raise ValueError(f"{name}: claims at scale {', '.join(sorted(unserved))}, which have no entry in minutes")
    minutes = {scale: float(value) for scale, value in top["minutes"].items()}
    return Paper(**{**top, "claims": claims, "minutes": minutes})


def _claim(name: str, entry: Mapping[str, Any]) -> Claim:
    entry = {"plus_minus": None, "kind": "none", "unclear": None, "seeds": 1, **entry}
    _same_fields(f"{name}: {entry.get('id', 'a claim')}", entry, Claim)
    bands = {key: _band(entry[key]) for key in ("band", "unclear")}
    numbers = {key: None if entry[key] is None else float(entry[key]) for key in ("value", "plus_minus")}
    return Claim(**{**entry, **bands, **numbers})


def _band(ends: Mapping[str, float | int] | None) -> Band | None:
    return None if ends is None else Band(**{end: float(value) for end, value in ends.items()})


def _same_fields(where: str, entry: Mapping[str, Any], schema: type) -> None:
    fields = {field.name for field in dataclasses.fields(schema)}
    if wrong := sorted(fields ^ set(entry)):
        raise ValueError(f"{where}: {', '.join(wrong)} missing or unknown; the fields are {', '.join(sorted(fields))}")
