"""Measures a subject on several extractors at once, in one pass over the images.

Each extractor has a :class:`~ganvas.scoring.measurement.Measurement` of its own, so that each score has the protocol,
the key and the cache of an extractor alone, and the same bits. A score that no extractor takes part in (a bound on the
evidence, modes) is measured once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, final

import torch

from ganvas.config import ConfigError, build_as, nodes_of
from ganvas.extractors.base import Extractor
from ganvas.metrics.registry import computable, metrics
from ganvas.scoring.asked import Asked
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.one_pass import OnePass
from ganvas.scoring.references import Reference
from ganvas.scoring.replicates import Replicates
from ganvas.scoring.subjects import Subject
from ganvas.storage.store import Store


def build_extractors(node: Any, device: torch.device) -> tuple[Extractor, ...]:
    """Build the extractors of a config, on a device; none for ``extractor=none``.

    Args:
        node: ``extractor`` of a composed or recorded config: one extractor, or several by their words.
        device: device of their weights.

    Raises:
        ConfigError: an extractor cannot be built, or two have one name, by which their scores are called.
    """
    built = tuple(build_as(Extractor, one).to(device) for one in nodes_of(node))
    names = [extractor.name for extractor in built]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(
            f"extractor: two are called {twice[0]}, and their scores would be too (score/{twice[0]}/...); "
            "write extractor.WORD.name=NAME for one of them, or leave it out"
        )
    return built


@final
class Measurements:
    """Measurements of one subject against one reference.

    Args:
        subject: the scored model or images.
        reference: what the subject is compared with.
        extractors: extractors of features, at most one of each name; none if no metric needs features.
        asked: settings, numbers of images, calibration.
        cache: store of features that depend on the reference only; None computes them each time.
    """

    def __init__(
        self,
        subject: Subject,
        reference: Reference,
        extractors: Sequence[Extractor],
        asked: Asked,
        cache: Store | None,
    ) -> None:
        self._extractors = tuple(extractors)
        self._subject, self._reference, self._asked, self._cache = subject, reference, asked, cache
        self._made: list[Measurement] = []

    def of(self, names: Sequence[str] | None = None) -> Found:
        """Compute the requested metrics on each extractor that can; see :meth:`Measurement.of`.

        Args:
            names: names of metrics and groups; None takes the standard metrics of each extractor.

        Raises:
            ValueError: a metric does not apply to this subject or reference, or to none of the extractors.
        """
        if names is None or len(self._extractors) < 2:
            return _together([one.of(names) for one in self._each(self._extractors)])
        shares = self._shared_out(names)
        able = [extractor for extractor in self._extractors if shares[extractor.name]]
        return _together([one.of(shares[e.name]) for e, one in zip(able, self._each(able), strict=True)])

    def of_trained(self) -> Found:
        """Compute the scores at the end of a training on each extractor."""
        return _together([one.of_trained() for one in self._each(self._extractors)])

    def replicates(self, found: Found, groups: int) -> dict[str, Replicates]:
        """Score halves of the images on each extractor; see :meth:`Measurement.replicates`.

        Args:
            found: result of the last call of :meth:`of`.
            groups: number of groups that halves consist of, a power of two.
        """
        return {key: made for one in self._made for key, made in one.replicates(found, groups).items()}

    def _each(self, extractors: Sequence[Extractor]) -> list[Measurement]:
        """Make the measurements on these extractors, or one without an extractor."""
        one_pass = OnePass(extractors, self._cache, self._asked.how) if len(extractors) > 1 else None
        each: Sequence[Extractor | None] = extractors or (None,)
        made = [Measurement(self._subject, self._reference, e, self._asked, self._cache, one_pass) for e in each]
        self._made = made
        return made

    def _shared_out(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Choose the metrics of each extractor, by its name; those of no extractor are the first one's."""
        shares: dict[str, list[str]] = {extractor.name: [] for extractor in self._extractors}
        for name in names:
            of_none = name in metrics() and metrics()[name].kind
            able = [e.name for e in self._extractors if _can(e, name)][: 1 if of_none else None]
            if not able:
                raise ValueError(
                    f"metrics: none of extractor=[{','.join(shares)}] can compute {name}: 'fid' means the 2015 "
                    "Inception, 'sfid' its spatial features, 'fd' any other extractor, and some metrics need class "
                    f"logits; leave {name} out"
                )
            for extractor in able:
                shares[extractor].append(name)
        return shares


def _can(extractor: Extractor, name: str) -> bool:
    return computable(name, extractor.name, extractor.num_classes is not None)


def _together(parts: Sequence[Found]) -> Found:
    """Combine the results; a finding of the same name is that of the first extractor, and a note is said once."""
    found = sum(parts, Found())
    if len(parts) < 2:
        return found
    findings = {finding.name: finding for finding in reversed(found.findings)}
    return replace(found, findings=tuple(reversed(findings.values())), notes=tuple(dict.fromkeys(found.notes)))
