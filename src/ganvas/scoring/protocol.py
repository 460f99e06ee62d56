r"""How a score was measured, and a fingerprint of all that decides whether two scores may be compared.

.. math:: \text{fingerprint} = \text{first 12 hexadecimal digits of } \mathrm{SHA256}(\text{canonical JSON})

Decides, and so is in the fingerprint: extractor, its weights and preprocessing; the content of the reference set, the
split and both sample counts; raw or averaged (EMA) weights of the model; the metrics' settings, their own seed
included; the library that computed the metric, to its minor version; the revision of what stands in this package.

Is recorded only: the name of the reference set (its content decides), the seed of the samples (seeds of one model are
what gets compared), and the patch versions of libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

from ganvas.scoring.settings import MetricSettings
from ganvas.storage.digest import digest

FINAL: Final = "torch-fidelity"
"""Library of the scores that :func:`ganvas.scoring.scores.scores` computes."""
STREAMED: Final = "torchmetrics"
"""Library of the scores that :class:`ganvas.scoring.streaming.StreamingScores` computes."""

REVISION: Final = 2
"""Raised by every change of ganvas that moves a score's value. 2: KID draws its subsets as torch-fidelity's command."""

INCEPTION_LEAST: Final = 2048
"""Features of the 2015 Inception: from fewer images their covariance is singular."""

_RECORDED_ONLY: Final = ("reference", "sample_seed", "versions")


def library_versions() -> dict[str, str]:
    """Versions of all libraries that a score passes through."""
    return {name: version(name) for name in ("torch", FINAL, STREAMED, "numpy", "scipy")}


@dataclass(frozen=True)
class Protocol:
    """All that a reader needs to get the number back.

    Args:
        extractor: its name.
        weights_hash: SHA-256 of its weights.
        preprocessing: its own words.
        reference: name of the reference data set, as in ``data=``.
        reference_fingerprint: content hash of the reference images.
        split: split of the reference that was used.
        n_real: reference images used, at least 1; None where an imported file of statistics does not say.
        n_fake: generated images scored, at least 1.
        weights: ``raw`` or ``ema``: which weights of the model drew the samples; ``images`` where they came as files.
        sample_seed: seed of the samples; None where they came as files.
        settings: of the metrics.
        library: :data:`FINAL` or :data:`STREAMED`, who computed the metrics.
        versions: of the libraries, see :func:`library_versions`.
        revision: of ganvas's own part in a score, see :data:`REVISION`.

    Raises:
        ValueError: a field out of its range.
    """

    extractor: str
    weights_hash: str
    preprocessing: str
    reference: str
    reference_fingerprint: str
    split: str
    n_real: int | None
    n_fake: int
    weights: str
    sample_seed: int | None
    settings: MetricSettings
    library: str
    versions: dict[str, str]
    revision: int = REVISION

    def __post_init__(self) -> None:
        if self.weights not in ("raw", "ema", "images"):
            raise ValueError(
                f"weights: expected 'raw' or 'ema', got '{self.weights}'; say which weights drew the samples, or "
                "'images' where they came as files"
            )
        if self.library not in self.versions:
            raise ValueError(
                f"versions: expected the version of '{self.library}' among them, got {sorted(self.versions)}; "
                "use library_versions()"
            )
        for name in ("n_real", "n_fake"):
            n = getattr(self, name)
            if n is not None and n < 1:
                raise ValueError(f"{name}: expected at least 1, got {n}; count the images scored")

    def as_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self)

    def deciding(self) -> dict[str, Any]:
        """The fields that decide comparability, with the library to its minor version."""
        fields = {name: value for name, value in self.as_dict().items() if name not in _RECORDED_ONLY}
        minor = ".".join(self.versions[self.library].split(".")[:2])
        return {**fields, "library": f"{self.library} {minor}"}

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits; scores with different ones are never ranked together.

        Returns:
            The beginning of the SHA-256 of the deciding fields as canonical JSON (sorted keys, no spaces, UTF-8).
        """
        return digest(self.deciding())[:12]


def require_comparable(protocols: Iterable[Protocol]) -> None:
    """Refuse to put scores of different protocols into one table or ranking.

    Args:
        protocols: of all scores that would stand together.

    Raises:
        ValueError: naming every field that differs, with both values.
    """
    first, *others = [dict(_leaves(protocol.deciding())) for protocol in protocols] or [{}]
    for other in others:
        differing = [name for name in first if first[name] != other[name]]
        if differing:
            found = "; ".join(f"{name} {first[name]!r} against {other[name]!r}" for name in differing)
            raise ValueError(f"scores of different protocols do not compare: {found}. Score both under one protocol")


def _leaves(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Fields by dotted name, so that a message names the setting and not all settings."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def warnings_for(protocol: Protocol) -> list[str]:
    """What a reader of the score should know before believing it.

    Args:
        protocol: of the score.

    Returns:
        One sentence each, none where there is nothing to say.
    """
    n = min(x for x in (protocol.n_real, protocol.n_fake) if x is not None)
    said = {
        f"n={n} is below {INCEPTION_LEAST}, the Inception's number of features: the covariance is singular and the FID "
        "far above its value at 10,000 or more images": protocol.extractor == "inception" and n < INCEPTION_LEAST,
        f"{protocol.n_fake} generated images against {protocol.n_real} real ones: papers that fix both at one number "
        "do not compare": protocol.n_real not in (None, protocol.n_fake),
        "the reference is the training split: a model that memorised it scores best": protocol.split == "train",
    }
    return [sentence for sentence, holds in said.items() if holds]
