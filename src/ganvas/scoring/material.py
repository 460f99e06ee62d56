"""Inputs of metrics from one subject and one reference; features are computed once, at the first request."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from ganvas.data.source import Examples, Source
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.metrics.base import Metric
from ganvas.metrics.comparison import Statistics
from ganvas.metrics.factors import Codes
from ganvas.metrics.labels import Labels, Unsuited
from ganvas.scoring.asked import BATCH, Asked
from ganvas.scoring.cache import HALF, Part
from ganvas.scoring.classes import common_labels
from ganvas.scoring.from_model import FromModel
from ganvas.scoring.one_pass import OnePass
from ganvas.scoring.references import Reference
from ganvas.scoring.statistics_file import load_statistics
from ganvas.scoring.subjects import ModelSubject, Subject
from ganvas.scoring.worst import as_many, worst_images
from ganvas.storage.store import Store
from ganvas.types import Encodes


@final
class Gathered(FromModel):
    """Material of one subject and one reference.

    Args:
        subject: the scored model or images.
        reference: the images, points or moments that the subject is compared with.
        extractor: extractor of features; None if no metric needs features.
        asked: settings, numbers of images, calibration.
        cache: store of features that depend on the reference only; None computes them each time.
        one_pass: reads the images for several extractors, this one among them; None reads them for this one alone.
    """

    def __init__(
        self,
        subject: Subject,
        reference: Reference,
        extractor: Extractor | None,
        asked: Asked,
        cache: Store | None,
        one_pass: OnePass | None = None,
    ) -> None:
        self._subject, self._reference, self._extractor = subject, reference, extractor
        self._asked = asked
        self._one_pass = one_pass or OnePass(() if extractor is None else (extractor,), cache, asked.how)
        self.settings, self.seed, self.ceiling = asked.settings, asked.seed, asked.ceiling
        self.calibration = asked.calibration
        self.n, self.shape, self.split = subject.count(asked.n), subject.shape, reference.split
        # Floor and ceiling of a very large score are those of fewer images, which fit into memory.
        self.n_stand_ins = self.n if asked.on_disk is None else min(self.n, asked.on_disk)
        self.subject, self.reference = subject.name, reference.name
        # What is computed once is kept by the first of these, of which `of` makes copies.
        self._shared, self._in_memory = self, False

    def draw(self, n: int | None = None) -> Tensor:
        """See :meth:`Material.draw`."""
        return self._subject.draw(self._asked.n if n is None else n, self.seed, self._asked.batch_size)

    def extractor(self) -> Extractor:
        """See :meth:`Material.extractor`."""
        if self._extractor is None:
            raise ValueError("metrics: scores from features need an extractor; write extractor=inception, or mnist")
        if len(self.shape) != 3:
            raise ValueError(
                f"extractor={self._extractor.name} reads images, but {self.subject} makes points of shape "
                f"{self.shape}; write metrics=[modes]"
            )
        return self._extractor

    def drawn_at(self, index: Int64[Tensor, " m"]) -> Tensor:
        """See :meth:`Material.drawn_at`."""
        return self._subject.some(index, self._asked.n, self.seed, self._asked.batch_size)

    def fake(self) -> Features:
        """See :meth:`Material.fake`."""
        return self._read(self._shared._fake)

    def real(self) -> Features | Statistics:
        """See :meth:`Material.real`."""
        real = self._shared._real
        return real if isinstance(real, Statistics) else self._read(real)

    def features(self, split: str, metric: str) -> Features:
        """See :meth:`Material.features`."""
        return self._read(self.cached(self.whole(split, metric)))

    def drawn(self, split: str, metric: str) -> tuple[Features, Tensor]:
        """See :meth:`Material.drawn`."""
        part = self.some(split, metric)
        return self._read(self.cached(part)), part.index

    def of(self, metric: Metric) -> Gathered:
        """Return this material; its features are in memory if the metric does not read them in blocks."""
        other = copy(self)
        other._in_memory = not metric.in_blocks
        return other

    def _read(self, features: Features) -> Features:
        return features.in_memory() if self._in_memory else features

    def kinds(self, train: bool = False) -> dict[str, str]:
        """Return the numbers in which features of large sets are kept, by side; empty if all are in float32.

        Args:
            train: whether the training images are a side too.
        """
        splits = {"real": self.split} if self._reference.statistics is None else {}
        splits |= {"train": "train"} if train else {}
        sizes = {side: len(self.examples(split, "a score")) for side, split in splits.items()} | {"fake": self.n}
        return {side: HALF for side, n in sizes.items() if self._asked.how.halves(n)}

    def labels(self, metric: str) -> Labels:
        """See :meth:`Material.labels`."""
        if self._reference.statistics is not None:
            raise Unsuited(
                f"metrics: {metric} needs images with classes, reference={self.reference} is a file of statistics; "
                "write reference=DATASET"
            )
        real = self._reference.classed(self.split, metric)
        fake = self._subject.classed(self._asked.n, self.seed)
        return common_labels(fake, real, metric, self.subject, self.reference)

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
        """See :meth:`Material.one_mode`; the examples are those of the training split if there is one."""
        split = "train" if self.has("train") else self.split
        examples = self.examples(split, "ceiling=one_mode")
        if examples.labels is None:
            raise ValueError(
                f"ceiling=one_mode needs classes, and reference={self.reference} has none; write ceiling=noise"
            )
        label = int(examples.labels.bincount().argmax())
        members = (examples.labels == label).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(self.settings.seed))
        return examples, members[order[: self.n_stand_ins]], label

    def worst(self) -> Features:
        """See :meth:`Material.worst`."""
        return self._shared._worst

    def codes(self, metric: str) -> Codes:
        """See :meth:`Material.codes`; they are computed once."""
        self.encoder(metric)
        return self._shared._codes

    # Images and their features, from the cache if it has them.

    def cached(self, part: Part) -> Features:
        """Return the features of some images, from the cache if it has them."""
        return self._one_pass.of_reference(self.extractor(), part)

    @cached_property
    def _fake(self) -> Features:
        return self._one_pass.of_samples(self.extractor(), self._subject.images(self._asked.n, self.seed))

    @cached_property
    def _codes(self) -> Codes:
        subject = self._subject
        assert isinstance(subject, ModelSubject) and isinstance(subject.model, Encodes)
        source, examples = subject.data.source, subject.data.examples(self.split)
        assert source.factors is not None and examples.factors is not None
        index, moments = [], []
        for batch in self.held_out(min(self.settings["factors.n"], len(examples)), BATCH):
            index.append(batch.index.cpu())
            moments += [[x.cpu().double() for x in found] for found in subject.model.posterior_moments([batch])]
        means, deviations = (torch.cat(parts).numpy() for parts in zip(*moments, strict=True))
        return Codes(means, deviations, examples.factors[torch.cat(index)].numpy(), source.factors)

    @cached_property
    def _real(self) -> Features | Statistics:
        # The reference keeps them, for other subjects that are compared with it.
        reference, extractor = self._reference, self.extractor()
        if (path := reference.statistics) is not None:
            key = ("statistics", extractor.name, extractor.weights_hash, extractor.preprocessing)
            return reference.once(key, lambda: load_statistics(path, extractor))
        part = self.whole(self.split, "a score from features")
        return reference.once(part.key(extractor), lambda: self.cached(part))

    @cached_property
    def _worst(self) -> Features:
        return as_many(self.cached(worst_images(self)), self.n_stand_ins, self.settings.seed)

    def whole(self, split: str, metric: str) -> Part:
        """Select all images of a split of the reference.

        Args:
            split: name of the split.
            metric: name of the metric that needs the images, for the message.
        """
        examples = self.examples(split, metric)
        return Part(examples, torch.arange(len(examples)), split, self._asked.how.halves(len(examples)))

    def some(self, split: str, metric: str) -> Part:
        """Draw ``n`` images of a split, or select all if there are not more; see :meth:`whole`."""
        examples = self.examples(split, metric)
        if self.n_stand_ins >= len(examples):
            return self.whole(split, metric)
        seed = self.settings.seed
        index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[: self.n_stand_ins]
        return Part(examples, index, f"{split}, drawn with seed {seed}")
