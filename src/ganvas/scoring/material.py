"""Everything that metrics may ask of one subject and one reference, computed when the first of them asks, and once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from ganvas.data.source import Examples, Source
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.metrics.base import Material, Settings
from ganvas.metrics.comparison import Statistics
from ganvas.scoring.cache import Part, kept_features
from ganvas.scoring.references import Reference
from ganvas.scoring.statistics_file import load_statistics
from ganvas.scoring.subjects import ModelSubject, Subject
from ganvas.storage.store import Store
from ganvas.types import Batch, BoundsEvidence

BATCH = 250
"""Images in one forward of the extractor, where nothing else is asked for."""
CEILINGS = ("noise", "one_mode")


@dataclass(frozen=True)
class Asked:
    """Everything about a measurement that is neither subject nor reference.

    Args:
        settings: of all metrics.
        n: samples drawn from a model; images from files are scored all.
        seed: of the samples.
        batch_size: images in one forward of the extractor.
        calibration: whether floor and ceiling are measured beside the scores from features.
        ceiling: ``noise``, or ``one_mode``: real images of one class.
        output: folder for pictures and arrays; None keeps none.
    """

    settings: Settings
    n: int
    seed: int
    batch_size: int = BATCH
    calibration: bool = False
    ceiling: str = "noise"
    output: Path | None = None

    def __post_init__(self) -> None:
        if self.ceiling not in CEILINGS:
            raise ValueError(f"ceiling={self.ceiling}: expected {' or '.join(CEILINGS)}")


@final
class Gathered(Material):
    """Material of one subject and one reference.

    Args:
        subject: what is scored.
        reference: what it is compared with.
        extractor: of features; None scores no images.
        asked: settings, numbers of images, calibration.
        cache: store of what depends on references alone; None computes it each time.
    """

    def __init__(
        self, subject: Subject, reference: Reference, extractor: Extractor | None, asked: Asked, cache: Store | None
    ) -> None:
        self._subject, self._reference, self._extractor = subject, reference, extractor
        self._asked, self._cache = asked, cache
        self.settings, self.seed, self.ceiling = asked.settings, asked.seed, asked.ceiling
        self.calibration = asked.calibration
        self.n, self.shape, self.split = subject.count(asked.n), subject.shape, reference.split
        self.subject, self.reference = subject.name, reference.name

    def draw(self, n: int | None = None) -> Tensor:
        """See :meth:`Material.draw`."""
        return self._subject.draw(self._asked.n if n is None else n, self.seed, self._asked.batch_size)

    def extractor(self) -> Extractor:
        """See :meth:`Material.extractor`."""
        if self._extractor is None:
            raise ValueError("metrics: scores from features need an extractor; write extractor=inception, or mnist")
        if len(self.shape) != 3:
            raise ValueError(
                f"extractor={self._extractor.name} reads images, {self.subject} makes points of shape "
                f"{self.shape}; write metrics=[modes]"
            )
        return self._extractor

    def fake(self) -> Features:
        """See :meth:`Material.fake`."""
        return self._fake

    def real(self) -> Features | Statistics:
        """See :meth:`Material.real`."""
        return self._real

    def features(self, split: str, metric: str) -> Features:
        """See :meth:`Material.features`."""
        return self.cached(self.whole(split, metric))

    def has(self, split: str) -> bool:
        """See :meth:`Material.has`."""
        return self._reference.has(split)

    def examples(self, split: str, metric: str) -> Examples:
        """See :meth:`Material.examples`."""
        return self._reference.examples(split, metric)

    def source(self) -> Source | None:
        """See :meth:`Material.source`."""
        return self._reference.source

    def one_mode(self) -> tuple[Examples, Tensor, int]:
        """See :meth:`Material.one_mode`; of the training split where there is one."""
        split = "train" if self.has("train") else self.split
        examples = self.examples(split, "ceiling=one_mode")
        if examples.labels is None:
            raise ValueError(
                f"ceiling=one_mode needs classes, which reference={self.reference} does not know; write ceiling=noise"
            )
        label = int(examples.labels.bincount().argmax())
        members = (examples.labels == label).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(self.settings.seed))
        return examples, members[order[: self.n]], label

    def bound_model(self, metric: str) -> BoundsEvidence:
        """See :meth:`Material.bound_model`."""
        model = self.bounds_evidence()
        if model is None:
            raise ValueError(f"metrics: {metric} needs a VAE, {self.subject} is none; leave {metric} out")
        if not self._reference.own:
            raise ValueError(
                f"metrics: {metric} is measured on the model's own data; leave reference={self.reference} out"
            )
        return model

    def held_out(self, n: int | None, batch_size: int) -> Iterator[Batch]:
        """See :meth:`Material.held_out`."""
        subject = self._subject
        assert isinstance(subject, ModelSubject)
        for batch in subject.data.held_out(self.split, n, batch_size):
            yield batch.to(subject.model.device)

    def transform(self) -> Mapping[str, Any]:
        """See :meth:`Material.transform`."""
        subject = self._subject
        assert isinstance(subject, ModelSubject)
        return subject.data.transform.describe()

    def bounds_evidence(self) -> BoundsEvidence | None:
        """The model, where it bounds the evidence."""
        model = self._subject.model if isinstance(self._subject, ModelSubject) else None
        return model if isinstance(model, BoundsEvidence) else None

    # Images and their features, from the cache where it has them.

    def cached(self, part: Part) -> Features:
        """Features of some images.

        Args:
            part: the images.
        """
        return kept_features(self._cache, self.extractor(), part, self._asked.batch_size)

    @cached_property
    def _fake(self) -> Features:
        size = self._asked.batch_size
        return extract(self.extractor(), self._subject.batches(self._asked.n, self.seed, size), size)

    @cached_property
    def _real(self) -> Features | Statistics:
        if self._reference.statistics is not None:
            return load_statistics(self._reference.statistics, self.extractor())
        return self.cached(self.whole(self.split, "a score from features"))

    def whole(self, split: str, metric: str) -> Part:
        """All images of a split.

        Args:
            split: of the reference.
            metric: that asks, for the message.
        """
        examples = self.examples(split, metric)
        return Part(examples, torch.arange(len(examples)), split)

    def some(self, split: str, metric: str) -> Part:
        """As many images of a split as are scored, or all; see :meth:`whole`."""
        examples = self.examples(split, metric)
        if self.n >= len(examples):
            return self.whole(split, metric)
        seed = self.settings.seed
        index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[: self.n]
        return Part(examples, index, f"{split}, drawn with seed {seed}")
