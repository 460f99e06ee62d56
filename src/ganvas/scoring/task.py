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
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.scoring.cache import CacheKey, FeatureCache
from ganvas.scoring.references import Reference
from ganvas.scoring.settings import MetricSettings
from ganvas.scoring.statistics_file import Statistics, load_statistics
from ganvas.scoring.subjects import Subject
from ganvas.storage.store import Store


@dataclass(frozen=True, eq=False)
class Part:
    """Some of a set of images.

    Args:
        examples: the set.
        index: which of them.
        name: how they were chosen; part of the cache's key.
    """

    examples: Examples
    index: Tensor
    name: str


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
        return self.cached(self.real_part)

    @cached_property
    def real_part(self) -> Part:
        """The images of the reference."""
        return self.part(self.reference.split, "a score from features")

    @property
    def store(self) -> Store:
        """Where what depends on references alone is kept."""
        return _store(self.cfg)

    def part(self, split: str, metric: str, n: int | None = None) -> Part:
        """A split of the reference, or ``n`` images drawn from it.

        Args:
            split: which.
            metric: that asks, for the message.
            n: how many; None or more than there are takes all, in order.
        """
        examples = self.reference.examples(split, metric)
        if n is None or n >= len(examples):
            return Part(examples, torch.arange(len(examples)), split)
        seed = self.settings.seed
        index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[:n]
        return Part(examples, index, f"{split}, drawn with seed {seed}")

    def key(self, part: Part) -> CacheKey:
        """What the features of some images are kept under.

        Args:
            part: the images.
        """
        return _key(self.require_extractor(), part)

    def cached(self, part: Part) -> Features:
        """Features of real images or a stand-in for generated ones, from the cache where it has them.

        Args:
            part: the images.
        """
        return kept_features(self.cfg, self.require_extractor(), part)

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


def kept_features(cfg: DictConfig, extractor: Extractor, part: Part) -> Features:
    """Features of some images, from the cache where it has them.

    Args:
        cfg: root of ``conf/score.yaml``.
        extractor: of the features.
        part: the images.
    """
    batches: Iterator[Tensor] = (part.examples.batch(index) for index in part.index.split(cfg.batch_size))
    return FeatureCache(_store(cfg)).features(
        _key(extractor, part), lambda: extract(extractor, batches, cfg.batch_size)
    )


def _key(extractor: Extractor, part: Part) -> CacheKey:
    return CacheKey.of(extractor, images=part.examples.fingerprint(), n=len(part.index), split=part.name)


def _store(cfg: DictConfig) -> Store:
    return Store(Path(cfg.paths.cache).expanduser())
