"""The one way to a score, for ``train``, ``score``, papers and Python: a subject against a reference.

A :class:`Measurement` gives the metrics what they ask for, when the first of them asks and once, and turns what they
find into :class:`~ganvas.scoring.found.Found`: scores by key, each with its own protocol, and calibration beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.data.source import Examples, Source, TensorExamples
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.health.findings import finding_on_classes, findings_on
from ganvas.metrics.base import Material, Measured, Metric, Score, Settings
from ganvas.metrics.comparison import Statistics, radii_of, remember_radii
from ganvas.metrics.neighbours import Radii
from ganvas.metrics.registry import GROUPS, check_metrics, expand, key, metrics, scores, standard_metrics
from ganvas.scoring.cache import CacheKey, FeatureCache
from ganvas.scoring.calibration import Row, ceiling, floor, uniform_noise
from ganvas.scoring.found import Found
from ganvas.scoring.protocol import Protocol, feature_protocol, library_versions, warnings_for
from ganvas.scoring.references import Reference
from ganvas.scoring.statistics_file import load_statistics
from ganvas.scoring.subjects import ModelSubject, Subject
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept, Store
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


@final
class Measurement(Material):
    """One subject measured against one reference.

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
        self.settings, self.seed, self.ceiling, self.calibration = (
            asked.settings,
            asked.seed,
            asked.ceiling,
            asked.calibration,
        )
        self.n, self.shape, self.split = subject.count(asked.n), subject.shape, reference.split
        self.subject, self.reference = subject.name, reference.name

    def of(self, names: Sequence[str] | None = None) -> Found:
        """Measure what is asked for.

        Args:
            names: of metrics and groups; None takes the standard ones.

        Raises:
            ValueError: a metric that this subject, reference or extractor cannot serve.
        """
        names = self.standard() if names is None else list(dict.fromkeys(names))
        known = metrics()
        from_features = [name for name in names if name in GROUPS or name not in known or known[name].from_features]
        found = self._from_features(from_features) if from_features else Found()
        for name in names:
            if name not in from_features:
                found += self._other(known[name])
        return found

    def of_trained(self) -> Found:
        """Measure what every training ends with: the standard metrics, of points none but a bound."""
        return self.of(names) if (names := self._standard()) else Found()

    def _standard(self) -> list[str]:
        names: list[str] = []
        if self._extractor is not None:
            names += standard_metrics(self._extractor.name, self._extractor.num_classes is not None)
        if self._bounds_evidence() is not None and self._reference.own:
            names.append("elbo")
        return names

    def standard(self) -> list[str]:
        """Names of what is measured where nothing is asked for.

        Raises:
            ValueError: there is nothing standard to measure.
        """
        names = ([] if len(self.shape) == 3 else ["modes"]) + self._standard()
        if not names:
            raise ValueError(
                "no extractor, so no standard metrics; write extractor=inception, or metrics=[stacked_modes]"
            )
        return names

    # What metrics may ask for.

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
        return self._cached(self._whole(split, metric))

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
        model = self._bounds_evidence()
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

    # From features to scores.

    def _from_features(self, names: Sequence[str]) -> Found:
        check_metrics(names, self.extractor().name)
        self._require_channels()
        real, fake = self._real, self._fake
        self._require_variety(real, fake)
        if isinstance(real, Features) and set(expand(names)) & set(GROUPS["prdc"]):
            self._know_radii(real)
        found = scores(real, fake, names, self.settings)
        protocols = {key(fake.extractor, name): self._feature_protocol(metrics()[name]) for name in expand(names)}
        rows = self._calibration(real, names) if self.calibration and isinstance(real, Features) else {}
        return Found(
            scores=found,
            protocols=protocols,
            floor=_values(rows, "floor"),
            ceiling=_values(rows, "ceiling"),
            stand_ins={side: f"{row.n} of {part.name}" for side, (row, part) in rows.items()},
            findings=() if isinstance(real, Statistics) else finding_on_classes(real, fake),
            notes=tuple(warnings_for(next(iter(protocols.values())))) + _short(rows, fake.n),
        )

    def _feature_protocol(self, metric: Metric) -> Protocol:
        real = self._real
        images = real if isinstance(real, Statistics) else self.examples(self.split, "a score")
        return feature_protocol(
            self.extractor(),
            metric,
            self.settings,
            reference=self.reference,
            reference_fingerprint=images.fingerprint(),
            split=self.split,
            n_real=real.n,
            n_fake=self._fake.n,
            weights=self._subject.weights,
            sample_seed=None if self._subject.weights == "images" else self.seed,
        )

    def _other(self, metric: Metric) -> Found:
        """What a metric finds that is no function of two sets of features."""
        measured: Measured = metric.compute(self)
        kind = metric.kind or self.extractor().name
        protocol = self._protocol(metric, measured)
        return Found(
            scores={key(kind, name): score for name, score in measured.scores.items()},
            protocols={key(kind, name): protocol for name in measured.scores},
            floor={key(kind, name): value for name, value in measured.floor.items()},
            ceiling={key(kind, name): value for name, value in measured.ceiling.items()},
            findings=tuple(finding for evidence in measured.evidence for finding in findings_on(evidence)),
            notes=tuple(measured.notes),
            files=tuple(self._files(measured)),
        )

    def _protocol(self, metric: Metric, measured: Measured) -> Protocol:
        conditions = {
            "metric": metric.name,
            "revision": metric.revision,
            "reference_fingerprint": self._reference_fingerprint(),
            "split": self.split,
            "weights": self._subject.weights,
            **measured.conditions,
            "settings": metric.own(self.settings),
        }
        seed = None if self._subject.weights == "images" else self.seed
        recorded = {"reference": self.reference, "sample_seed": seed, "versions": library_versions()}
        return Protocol(conditions, recorded)

    def _reference_fingerprint(self) -> str:
        if self._reference.statistics is not None:
            return self._real.fingerprint() if isinstance(self._real, Statistics) else ""
        return self.examples(self.split, "a score").fingerprint()

    def _files(self, measured: Measured) -> Iterator[Path]:
        """What a metric leaves beside its scores, in the output folder."""
        if self._asked.output is None:
            return
        for name, arrays in measured.arrays.items():
            path = self._asked.output / f"{name}.npz"
            np.savez(path, **arrays)  # type: ignore[arg-type]
            yield path
        for name, picture in measured.pictures.items():
            path = self._asked.output / f"{name}.png"
            Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path)
            yield path

    # Features, from the cache where it has them.

    @cached_property
    def _fake(self) -> Features:
        size = self._asked.batch_size
        return extract(self.extractor(), self._subject.batches(self._asked.n, self.seed, size), size)

    @cached_property
    def _real(self) -> Features | Statistics:
        if self._reference.statistics is not None:
            return load_statistics(self._reference.statistics, self.extractor())
        return self._cached(self._whole(self.split, "a score from features"))

    def _whole(self, split: str, metric: str) -> Part:
        examples = self.examples(split, metric)
        return Part(examples, torch.arange(len(examples)), split)

    def _some(self, split: str, metric: str) -> Part:
        """As many images of a split as are scored, or all."""
        examples = self.examples(split, metric)
        if self.n >= len(examples):
            return self._whole(split, metric)
        seed = self.settings.seed
        index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[: self.n]
        return Part(examples, index, f"{split}, drawn with seed {seed}")

    def _cached(self, part: Part) -> Features:
        return kept_features(self._cache, self.extractor(), part, self._asked.batch_size)

    def _key(self, part: Part) -> str:
        return _key(self.extractor(), part).digest()

    def _know_radii(self, real: Features) -> None:
        """Give the reference its radii, from the cache where it has them; metrics refuse too few images."""
        s = self.settings
        ks = {"prc_neighbours": s.prc_neighbours, "dc_neighbours": s.dc_neighbours}
        if self._cache is None or real.n <= max(ks.values()) or not real.values.isfinite().all():
            return
        revisions = [metrics()[name].revision for name in GROUPS["prdc"]]
        of = {"what": "radii", "real": self._key(self._whole(self.split, "radii")), "revisions": revisions, **ks}
        kept = self._cache.get(digest(of), lambda: Kept(dict(vars(radii_of(real, **ks))), {}))
        remember_radii(real, **ks, known=Radii(**kept.tensors))

    # Calibration rows.

    def _calibration(self, real: Features, names: Sequence[str]) -> dict[str, tuple[Row, Part]]:
        """The rows that can be had, each with what stands in the generator's place."""
        parts = {"floor": self._training_images(), "ceiling": self._worst()}
        return {side: (self._row(side, real, part, names), part) for side, part in parts.items() if part is not None}

    def _training_images(self) -> Part | None:
        """Training images, as many as are scored; None if the only training images are the reference."""
        return self._some("train", "the floor") if self.split != "train" and self.has("train") else None

    def _worst(self) -> Part:
        """Noise, or images of one class."""
        if self.ceiling == "one_mode":
            examples, index, label = self.one_mode()
            return Part(examples, index, f"class {label}, drawn with seed {self.settings.seed}")
        images = TensorExamples(uniform_noise(self.n, self.shape, self.settings.seed))
        return Part(images, torch.arange(self.n), "uniform noise")

    def _row(self, side: str, real: Features, part: Part, names: Sequence[str]) -> Row:
        make = {"floor": floor, "ceiling": ceiling}[side]

        def compute() -> Row:
            return make(real, self._cached(part), self.n, names, self.settings)

        if self._cache is None:
            return compute()
        asked = [metrics()[name] for name in expand(names)]
        of = {
            "what": "calibration row",
            "real": self._key(self._whole(self.split, "a row")),
            "stand_in": self._key(part),
            "n": self.n,
            "metrics": {metric.name: [metric.revision, metric.own(self.settings)] for metric in asked},
            "seed": self.settings.seed,
            "versions": library_versions(),
        }
        facts = self._cache.get(digest(of), lambda: Kept({}, asdict(compute()))).facts
        return Row(facts["n"], {key: Score(**score) for key, score in facts["scores"].items()})

    # Refusals.

    def _bounds_evidence(self) -> BoundsEvidence | None:
        model = self._subject.model if isinstance(self._subject, ModelSubject) else None
        return model if isinstance(model, BoundsEvidence) else None

    def _require_channels(self) -> None:
        """Refuse grey against colour before any extractor is run, which may itself take only one of them."""
        if self._reference.statistics is not None:
            return
        real = self.examples(self.split, "a score").shape
        if len(real) == 3 and real[0] != self.shape[0]:
            raise ValueError(
                f"{self.subject}: images of {self.shape[0]} channels against {real[0]} of the reference "
                f"{self.reference}; convert one side, or check that they are those you meant"
            )

    def _require_variety(self, real: Features | Statistics, fake: Features) -> None:
        """Refuse files of one image over and over, which is no data; a model that has collapsed so far is scored."""
        sides = {self.reference: real, self.subject: fake if self._subject.weights == "images" else None}
        for name, side in sides.items():
            if isinstance(side, Features) and side.n > 1 and bool((side.values == side.values[0]).all()):
                raise ValueError(f"{name}: all {side.n} images are equal to the extractor; check how they were made")


def kept_features(cache: Store | None, extractor: Extractor, part: Part, batch_size: int) -> Features:
    """Features of some images, from the cache where it has them.

    Args:
        cache: None computes them.
        extractor: of the features.
        part: the images.
        batch_size: images in one forward.
    """

    def compute() -> Features:
        return extract(extractor, (part.examples.batch(i) for i in part.index.split(batch_size)), batch_size)

    return compute() if cache is None else FeatureCache(cache).features(_key(extractor, part), compute)


def _key(extractor: Extractor, part: Part) -> CacheKey:
    return CacheKey.of(extractor, images=part.examples.fingerprint(), n=len(part.index), split=part.name)


def _values(rows: Mapping[str, tuple[Row, Part]], side: str) -> dict[str, float]:
    found = rows[side][0].scores if side in rows else {}
    return {key: score.value for key, score in found.items() if math.isfinite(score.value)}


def _short(rows: Mapping[str, tuple[Row, Part]], n: int) -> tuple[str, ...]:
    if "floor" not in rows or rows["floor"][0].n >= n:
        return ()
    return (f"the floor is of {rows['floor'][0].n} training images, all there are, against {n} generated ones",)
