r"""Protocol of a score: how it was measured, with a fingerprint that decides whether two scores are comparable.

.. math:: \text{fingerprint} = \text{first 12 hexadecimal digits of } \mathrm{SHA256}(\text{canonical JSON})

The fingerprint is computed from the conditions. For a score from features they are: the metric and its revision; the
extractor, its weights and preprocessing; the content of the reference set, the split and both sample counts; raw or
averaged (EMA) weights of the model; the metric's own settings; the library that computed the metric, with its minor
version. For a bound on the evidence: the metric and its revision, the content of the data, the split, the transform and
its arguments, draws and seeds. The conditions contain nothing of other metrics, so a new metric or setting does not
change other fingerprints.

The protocol also records, without effect on the fingerprint: the name of the reference set (its content is a
condition), the seed of the samples (samples of different seeds are meant to be compared), and full library versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final, final

from ganvas.extractors.base import Extractor
from ganvas.metrics.base import LOGITS, SAMPLE_FEATURES, Metric, Settings
from ganvas.metrics.registry import metrics
from ganvas.nested import leaves
from ganvas.storage.digest import digest

FINAL: Final = "torch-fidelity"
"""Library of the reported scores."""
STREAMED: Final = "torchmetrics"
"""Library of the scores that :class:`ganvas.scoring.streaming.StreamingScores` computes in training."""

_UNRECORDED: Final = {"inception": 2048}
"""Number of features of an extractor whose protocols did not record it at first."""


def library_versions() -> dict[str, str]:
    """Versions of all libraries that take part in the computation of a score."""
    return {name: _version(name) for name in ("torch", FINAL, STREAMED, "numpy", "scipy")}


_version = cache(version)  # each call reads the metadata of a package from the disk


@final
@dataclass(frozen=True)
class Protocol:
    """Everything that is needed to reproduce a score.

    Args:
        conditions: facts that decide comparability; values that JSON can hold.
        recorded: further facts, which do not affect comparability.
    """

    conditions: Mapping[str, Any]
    recorded: Mapping[str, Any]

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits; scores with different fingerprints are never ranked together.

        Returns:
            The beginning of the SHA-256 of the conditions as canonical JSON (sorted keys, no spaces, UTF-8).
        """
        return digest(self.conditions)[:12]

    def as_dict(self) -> dict[str, Any]:
        """Convert to fingerprint, conditions and recorded facts for JSON."""
        return {
            "fingerprint": self.fingerprint(),
            "conditions": dict(self.conditions),
            "recorded": dict(self.recorded),
        }

    @staticmethod
    def read(content: Mapping[str, Any]) -> Protocol:
        """Make a protocol from the result of :meth:`as_dict`, an entry of ``protocols`` in ``result.json``."""
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
    sampling: Mapping[str, Any] = MappingProxyType({}),
    features: Mapping[str, str] = MappingProxyType({}),
    library: str = FINAL,
) -> Protocol:
    """Make the protocol of a score from features, with the versions of the installed libraries.

    Args:
        extractor: extractor of the features.
        metric: metric of the score.
        settings: settings of all metrics.
        reference: name of the reference data set, as in ``data=``.
        reference_fingerprint: content hash of the reference images.
        split: split of the reference that was used.
        n_real: number of reference images, at least 1; None if an imported file of statistics does not say.
        n_fake: number of scored images, at least 1.
        weights: weights of the model that drew the samples, ``raw`` or ``ema``; ``images`` if they came from files.
        sample_seed: seed of the samples; None if they came from files.
        sampling: the condition that options of sampling add, see :meth:`ganvas.models.Sampling.conditions`.
        features: numbers in which the features of a large side are kept, by ``real`` and ``fake``; a side that is
            not stated has float32.
        library: library that computed the metric, :data:`FINAL` or :data:`STREAMED`.

    Raises:
        ValueError: an argument is out of range.
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
        **sampling,
        **({"features": dict(features)} if features else {}),
        "settings": metric.own(settings),
        "library": f"{library} {minor}",
    }
    recorded = {
        "reference": reference,
        "sample_seed": sample_seed,
        "num_features": extractor.num_features,
        "num_classes": extractor.num_classes,
        "versions": versions,
    }
    return Protocol(conditions, recorded)


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
    """Check that scores have equal conditions, before they enter one table or ranking.

    Args:
        protocols: protocols of all the scores.

    Raises:
        ValueError: conditions differ; the message has every field that differs, with both values.
    """
    first, *others = [dict(leaves(protocol.conditions)) for protocol in protocols] or [{}]
    for other in others:
        names = dict.fromkeys([*first, *other])
        differing = [name for name in names if first.get(name) != other.get(name)]
        if differing:
            found = "; ".join(f"{name} {first.get(name)!r} against {other.get(name)!r}" for name in differing)
            raise ValueError(f"scores of different protocols do not compare: {found}. Score both under one protocol")


def warnings_for(protocol: Protocol) -> list[str]:
    """Warnings for the reader of a score from features, one sentence each; none for other scores."""
    stated = protocol.conditions
    if "n_real" not in stated:
        return []
    n_real, n_fake = stated["n_real"], stated["n_fake"]
    said = {
        f"{n_fake} generated images against {n_real} real ones: the score is not comparable with "
        "papers that use equal numbers": n_real not in (None, n_fake),
        "the reference is the training split: a model that memorised it scores best": stated["split"] == "train",
    }
    if sampler := stated.get("sampling", {}).get("sampler"):
        fitted = f"sampler={sampler['kind']}, fitted to codes of {sampler['images']:,} training images"
        said[f"latents are drawn from {fitted}, not from the prior"] = True
    return [*_too_few(protocol), *(sentence for sentence, holds in said.items() if holds)]


def _too_few(protocol: Protocol) -> tuple[str, ...]:
    """Make the note on a score of fewer images than its metric's smallest sensible number."""
    stated, recorded = protocol.conditions, protocol.recorded
    metric = metrics().get(stated["metric"])
    if metric is None or metric.sensible_n is None:
        return ()
    read = (stated["n_fake"],) if metric.needs in (LOGITS, SAMPLE_FEATURES) else (stated["n_real"], stated["n_fake"])
    sizes = {
        "feature": recorded.get("num_features") or _UNRECORDED.get(stated["extractor"]),
        "class": recorded.get("num_classes"),
    }
    return metric.sensible_n.notes(min(n for n in read if n is not None), sizes, stated["extractor"])
