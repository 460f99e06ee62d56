r"""How one score was measured, and a fingerprint of all that decides whether two scores may be compared.

.. math:: \text{fingerprint} = \text{first 12 hexadecimal digits of } \mathrm{SHA256}(\text{canonical JSON})

The conditions decide. Of a score from features they are: the metric and its revision; extractor, its weights and
preprocessing; the content of the reference set, the split and both sample counts; raw or averaged (EMA) weights of the
model; the metric's own settings; the library that computed the metric, to its minor version. Of a bound on the
evidence: the metric and its revision, the content of the data, the split, the transform and its arguments, draws and
seeds. Nothing of another metric is among them: a new metric or setting moves no other fingerprint.

Recorded beside them, and not deciding: the name of the reference set (its content decides), the seed of the samples
(seeds of one model are what gets compared), and the full versions of libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, final

from ganvas.extractors.base import Extractor
from ganvas.metrics.base import Metric, Settings
from ganvas.storage.digest import digest

FINAL: Final = "torch-fidelity"
"""Library of the scores that are reported."""
STREAMED: Final = "torchmetrics"
"""Library of the scores that :class:`ganvas.scoring.streaming.StreamingScores` computes in training."""

INCEPTION_LEAST: Final = 2048
"""Features of the 2015 Inception: from fewer images their covariance is singular."""


def library_versions() -> dict[str, str]:
    """Versions of all libraries that a score passes through."""
    return {name: version(name) for name in ("torch", FINAL, STREAMED, "numpy", "scipy")}


@final
@dataclass(frozen=True)
class Protocol:
    """All that a reader needs to get one number back.

    Args:
        conditions: what decides comparability, ready for JSON.
        recorded: what is good to know besides.
    """

    conditions: Mapping[str, Any]
    recorded: Mapping[str, Any]

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits; scores with different ones are never ranked together.

        Returns:
            The beginning of the SHA-256 of the conditions as canonical JSON (sorted keys, no spaces, UTF-8).
        """
        return digest(self.conditions)[:12]

    def as_dict(self) -> dict[str, Any]:
        """Fingerprint, conditions and what is recorded, ready for JSON."""
        return {
            "fingerprint": self.fingerprint(),
            "conditions": dict(self.conditions),
            "recorded": dict(self.recorded),
        }

    @staticmethod
    def read(content: Mapping[str, Any]) -> Protocol:
        """The protocol that :meth:`as_dict` wrote.

        Args:
            content: of ``protocols`` in ``result.json``.
        """
        return Protocol(content["conditions"], content["recorded"])


def feature_protocol(
    extractor: Extractor,
    metric: Metric,
    settings: Settings,
    *,
    reference: str,
    reference_fingerprint: str,
    split: str,
    n_real: int | None,
    n_fake: int,
    weights: str,
    sample_seed: int | None,
    library: str = FINAL,
) -> Protocol:
    """The protocol of a score from features, with the libraries that are installed.

    Args:
        extractor: of the features.
        metric: the score's.
        settings: of all metrics.
        reference: name of the reference data set, as in ``data=``.
        reference_fingerprint: content hash of the reference images.
        split: split of the reference that was used.
        n_real: reference images used, at least 1; None where an imported file of statistics does not say.
        n_fake: generated images scored, at least 1.
        weights: ``raw`` or ``ema``: which weights of the model drew the samples; ``images`` where they came as files.
        sample_seed: seed of the samples; None where they came as files.
        library: :data:`FINAL` or :data:`STREAMED`, who computed the metric.

    Raises:
        ValueError: an argument out of its range.
    """
    _require(weights, {"n_real": n_real, "n_fake": n_fake})
    versions = library_versions()
    minor = ".".join(versions[library].split(".")[:2])
    conditions = {
        "metric": metric.name,
        "revision": metric.revision,
        "extractor": extractor.name,
        "weights_hash": extractor.weights_hash,
        "preprocessing": extractor.preprocessing,
        "reference_fingerprint": reference_fingerprint,
        "split": split,
        "n_real": n_real,
        "n_fake": n_fake,
        "weights": weights,
        "settings": metric.own(settings),
        "library": f"{library} {minor}",
    }
    return Protocol(conditions, {"reference": reference, "sample_seed": sample_seed, "versions": versions})


def _require(weights: str, counts: Mapping[str, int | None]) -> None:
    if weights not in ("raw", "ema", "images"):
        raise ValueError(
            f"weights: expected 'raw' or 'ema', got '{weights}'; say which weights drew the samples, or 'images' where "
            "they came as files"
        )
    for name, n in counts.items():
        if n is not None and n < 1:
            raise ValueError(f"{name}: expected at least 1, got {n}; count the images scored")


def require_comparable(protocols: Iterable[Protocol]) -> None:
    """Refuse to put scores of different protocols into one table or ranking.

    Args:
        protocols: of all scores that would stand together.

    Raises:
        ValueError: naming every field that differs, with both values.
    """
    first, *others = [dict(leaves(protocol.conditions)) for protocol in protocols] or [{}]
    for other in others:
        names = dict.fromkeys([*first, *other])
        differing = [name for name in names if first.get(name) != other.get(name)]
        if differing:
            found = "; ".join(f"{name} {first.get(name)!r} against {other.get(name)!r}" for name in differing)
            raise ValueError(f"scores of different protocols do not compare: {found}. Score both under one protocol")


def leaves(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Conditions by dotted name, so that a message names the setting and not all settings.

    Args:
        fields: conditions, mappings among them.
        prefix: of the names.
    """
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def warnings_for(protocol: Protocol) -> list[str]:
    """What a reader of a score from features should know before believing it; nothing of other scores.

    Args:
        protocol: of the score.

    Returns:
        One sentence each, none where there is nothing to say.
    """
    stated = protocol.conditions
    if "n_real" not in stated:
        return []
    n_real, n_fake = stated["n_real"], stated["n_fake"]
    n = min(x for x in (n_real, n_fake) if x is not None)
    said = {
        f"n={n} is below {INCEPTION_LEAST}, the Inception's number of features: the covariance is singular and the FID "
        "far above its value at 10,000 or more images": stated["extractor"] == "inception" and n < INCEPTION_LEAST,
        f"{n_fake} generated images against {n_real} real ones: papers that fix both at one number "
        "do not compare": n_real not in (None, n_fake),
        "the reference is the training split: a model that memorised it scores best": stated["split"] == "train",
    }
    return [sentence for sentence, holds in said.items() if holds]
