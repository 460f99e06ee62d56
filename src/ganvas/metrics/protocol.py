r"""How a score was measured, and a fingerprint of all that decides whether two scores may be compared.

.. math:: \text{fingerprint} = \text{first 12 hexadecimal digits of } \mathrm{SHA256}(\text{canonical JSON})

Decides, and so is in the fingerprint: extractor, its weights and preprocessing; the content of the reference set, the
split and both sample counts; raw or averaged (EMA) weights of the model; the metrics' settings, their own seed
included; the library that computed the metric, to its minor version.

Is recorded only: the name of the reference set (its content decides), the seed of the samples (seeds of one model are
what gets compared), and the patch versions of libraries.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

from ganvas.metrics.settings import MetricSettings

FINAL: Final = "torch-fidelity"
"""Library of the scores that :func:`ganvas.metrics.score.scores` computes."""
STREAMED: Final = "torchmetrics"
"""Library of the scores that :class:`ganvas.metrics.streaming.StreamingScores` computes."""

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
        n_real: reference images used, at least 1.
        n_fake: generated images scored, at least 1.
        weights: ``raw`` or ``ema``: which weights of the model drew the samples.
        sample_seed: seed of the samples.
        settings: of the metrics.
        library: :data:`FINAL` or :data:`STREAMED`, who computed the metrics.
        versions: of the libraries, see :func:`library_versions`.

    Raises:
        ValueError: a field out of its range.
    """

    extractor: str
    weights_hash: str
    preprocessing: str
    reference: str
    reference_fingerprint: str
    split: str
    n_real: int
    n_fake: int
    weights: str
    sample_seed: int
    settings: MetricSettings
    library: str
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if self.weights not in ("raw", "ema"):
            raise ValueError(
                f"weights: expected 'raw' or 'ema', got '{self.weights}'; say which weights drew the samples"
            )
        if self.library not in self.versions:
            raise ValueError(
                f"versions: expected the version of '{self.library}' among them, got {sorted(self.versions)}; "
                "use library_versions()"
            )
        for name in ("n_real", "n_fake"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}; count the images scored")

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
        text = json.dumps(self.deciding(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
