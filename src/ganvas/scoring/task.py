"""What every measure may use; what several of them need is computed when the first asks, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data.source import Examples
from ganvas.metrics.cache import CacheKey, FeatureCache
from ganvas.metrics.extractor import Extractor
from ganvas.metrics.features import Features, extract
from ganvas.metrics.settings import MetricSettings
from ganvas.metrics.statistics_file import Statistics, load_statistics
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import Subject


@dataclass(frozen=True, eq=False)
class Task:
    """One call of ``ganvas score``.

    Args:
        cfg: root of ``conf/score.yaml``.
        subject: what is scored.
        reference: against what.
        extractor: of features; None scores no images.
        settings: of the metrics.
        output: folder for pictures and arrays.
    """

    cfg: DictConfig
    subject: Subject
    reference: Reference
    extractor: Extractor | None
    settings: MetricSettings
    output: Path

    @property
    def n(self) -> int:
        """Examples of the subject that are scored."""
        return self.subject.count(self.cfg.n)

    @cached_property
    def fake(self) -> Features:
        """Features of the subject's images."""
        cfg = self.cfg
        return extract(self.require_extractor(), self.subject.batches(cfg.n, cfg.seed, cfg.batch_size), cfg.batch_size)

    @cached_property
    def real(self) -> Features | Statistics:
        """Features of the reference, or its moments where these are all there is."""
        if self.reference.statistics is not None:
            return load_statistics(self.reference.statistics, self.require_extractor())
        return self.features(self.reference.split, "a score from features")

    def features(self, split: str, metric: str, n: int | None = None) -> Features:
        """Features of a split of the reference, or of ``n`` images drawn from it, from the cache where it has them.

        Args:
            split: which.
            metric: that asks, for the message.
            n: how many; None or more than there are takes all, in order.
        """
        examples = self.reference.examples(split, metric)
        if n is None or n >= len(examples):
            return self.cached(examples, torch.arange(len(examples)), split)
        seed = self.settings.seed
        index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[:n]
        return self.cached(examples, index, f"{split}, drawn with seed {seed}")

    def cached(self, examples: Examples, index: Tensor, split: str) -> Features:
        """Features of some examples, from the cache where it has them.

        Args:
            examples: real images, or a stand-in for generated ones.
            index: which of them.
            split: what they are, part of the cache's key.
        """
        extractor, size = self.require_extractor(), self.cfg.batch_size
        batches: Iterator[Tensor] = (examples.batch(part) for part in index.split(size))
        key = CacheKey.of(extractor, images=examples.fingerprint(), n=len(index), split=split)
        found = FeatureCache(Path(self.cfg.paths.cache).expanduser())
        return found.features(key, lambda: extract(extractor, batches, size))

    def require_extractor(self) -> Extractor:
        """The extractor.

        Raises:
            ConfigError: there is none, or it cannot read the subject.
        """
        if self.extractor is None:
            raise ConfigError("metrics: scores from features need an extractor; write extractor=inception, or mnist")
        if len(self.subject.shape) != 3:
            raise ConfigError(
                f"extractor={self.extractor.name} reads images, {self.subject.name} makes points of shape "
                f"{self.subject.shape}; write metrics=[modes]"
            )
        return self.extractor

    def conditions(self, **more: Any) -> dict[str, Any]:
        """What every score depends on: reference, split, weights; and what one measure adds.

        Args:
            **more: of the measure.
        """
        examples = self.reference.examples(self.reference.split, "a score")
        return {
            "reference": examples.fingerprint(),
            "split": self.reference.split,
            "weights": self.subject.weights,
            **more,
        }
