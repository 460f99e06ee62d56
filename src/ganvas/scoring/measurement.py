"""Measures a subject against a reference; ``train``, ``score``, papers and the Python API all use it.

A :class:`Measurement` gives the metrics their inputs (:mod:`ganvas.scoring.material`) and collects the results in
:class:`~ganvas.scoring.found.Found`: scores by key, each with its protocol, and their calibration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.health.findings import finding_on_classes, findings_on
from ganvas.metrics.base import OF_MODEL, Measured, Metric
from ganvas.metrics.comparison import Statistics, fingerprint_of
from ganvas.metrics.labels import Unsuited
from ganvas.metrics.registry import GROUPS, OF_CLASSES, check_metrics, expand, key, metrics, scores, standard_metrics
from ganvas.scoring.asked import Asked as Asked
from ganvas.scoring.cache import Part, know_radii
from ganvas.scoring.calibration import Row, calibrate
from ganvas.scoring.found import Found
from ganvas.scoring.material import Gathered
from ganvas.scoring.one_pass import OnePass
from ganvas.scoring.protocol import Protocol, feature_protocol, library_versions, warnings_for
from ganvas.scoring.references import Reference
from ganvas.scoring.replicates import Replicates, replicates_of
from ganvas.scoring.subjects import Subject
from ganvas.storage.store import Store


@final
class Measurement:
    """A measurement of one subject against one reference; the arguments are those of :class:`Gathered`."""

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
        self._asked, self._cache, self._one_pass = asked, cache, one_pass
        self._material = Gathered(subject, reference, extractor, asked, cache, one_pass)

    def of(self, names: Sequence[str] | None = None) -> Found:
        """Compute the requested metrics.

        Args:
            names: names of metrics and groups; None takes the standard metrics.

        Raises:
            ValueError: a metric does not apply to this subject, reference or extractor.
        """
        if names is None:
            return self._of(self.standard()) + self._of_classes()
        return self._of(list(dict.fromkeys(names)))

    def _of(self, names: Sequence[str]) -> Found:
        known = metrics()
        for name in names:
            if name in known:
                self._material.require(known[name])  # before the first long computation
        from_features = [name for name in names if name in GROUPS or name not in known or known[name].from_features]
        found = self._from_features(from_features) if from_features else Found()
        for name in names:
            if name not in from_features:
                found += self._other(known[name])
        return found

    def of_trained(self) -> Found:
        """Compute the scores at the end of a training: the standard metrics, but for points only the ELBO."""
        return self._of(self._standard()) + self._of_classes()

    def _of_classes(self) -> Found:
        """Compute those standard metrics of samples with classes that apply."""
        found = Found()
        for name in OF_CLASSES if self._extractor is not None and len(self._subject.shape) == 3 else ():
            with suppress(Unsuited):
                found += self._other(metrics()[name])
        return found

    def _standard(self) -> list[str]:
        names: list[str] = []
        if self._extractor is not None:
            names += standard_metrics(self._extractor.name, self._extractor.num_classes is not None)
        if self._one_pass is not None and self._one_pass.extractors[0] is not self._extractor:
            return names  # scores of no extractor are those of the first one
        if self._material.bounds_evidence() is not None and self._reference.own:
            names.append("elbo")
        if self._material.names_classes() and self._reference.own:
            names.append("classification")
        if self._material.learns_codes() and self._reference.own:
            names.append("code_bits")
        return names

    def standard(self) -> list[str]:
        """Names of the metrics that are computed by default.

        Raises:
            ValueError: there are none.
        """
        names = ([] if len(self._subject.shape) == 3 else ["modes"]) + self._standard()
        if not names:
            raise ValueError(
                "no extractor, so no standard metrics; write extractor=inception, or metrics=[stacked_modes]"
            )
        return names

    def replicates(self, found: Found, groups: int) -> dict[str, Replicates]:
        """Score halves of the images, for the errors of differences; see :func:`replicates_of`.

        Args:
            found: result of :meth:`of`.
            groups: number of groups that halves consist of, a power of two.
        """
        return replicates_of(self._material, found, groups)

    # Computation of scores.

    def _from_features(self, names: Sequence[str]) -> Found:
        material = self._material
        check_metrics(names, material.extractor().name)
        self._require_readable()
        real, fake = material.real(), material.fake()
        self._require_variety(real, fake)
        if self._reference.statistics is None and set(expand(names)) & set(GROUPS["prdc"]):
            self._know_radii()
        found = scores(real, fake, names, material.settings)
        protocols = {key(fake.extractor, name): self._feature_protocol(metrics()[name]) for name in expand(names)}
        rows = calibrate(material, names, self._cache) if material.calibration else {}
        return Found(
            scores=found,
            protocols=protocols,
            floor=_values(rows, "floor"),
            ceiling=_values(rows, "ceiling"),
            stand_ins={side: f"{row.n} of {part.name}" for side, (row, part) in rows.items()},
            findings=() if isinstance(real, Statistics) else finding_on_classes(real, fake),
            notes=tuple(dict.fromkeys(note for p in protocols.values() for note in warnings_for(p)))
            + _short(rows, fake.n),
        )

    def _know_radii(self) -> None:
        """Store with the reference's features the radii that precision, recall, density and coverage share."""
        material, s = self._material, self._asked.settings
        real = material.real()
        assert isinstance(real, Features)
        part = material.whole(material.split, "radii")
        revisions = [metrics()[name].revision for name in GROUPS["prdc"]]
        ks = {"prc_neighbours": s.prc_neighbours, "dc_neighbours": s.dc_neighbours}
        know_radii(self._cache, real, part.key(material.extractor()), revisions, **ks)

    def _feature_protocol(self, metric: Metric) -> Protocol:
        material, real = self._material, self._material.real()
        return feature_protocol(
            material.extractor(),
            metric,
            material.settings,
            reference=material.reference,
            reference_fingerprint=self._reference_fingerprint(),
            split=material.split,
            n_real=real.n,
            n_fake=material.fake().n,
            weights=self._subject.weights,
            sample_seed=self._sample_seed(),
            sampling=self._subject.sampling.conditions(drawn=True),
            features=material.kinds(),
        )

    def _other(self, metric: Metric) -> Found:
        """Compute a metric that is not a function of two sets of features."""
        measured: Measured = metric.compute(self._material.of(metric))
        kind = metric.kind or self._material.extractor().name
        protocol = self._protocol(metric, measured)
        return Found(
            scores={key(kind, name): score for name, score in measured.scores.items()},
            protocols={key(kind, name): protocol for name in measured.scores},
            floor={key(kind, name): value for name, value in measured.floor.items()},
            ceiling={key(kind, name): value for name, value in measured.ceiling.items()},
            findings=tuple(finding for evidence in measured.evidence for finding in findings_on(evidence)),
            notes=(*measured.notes, *self._too_few(metric, measured)),
            files=tuple(self._files(metric, measured)),
            details={self._place(metric) + metric.name: dict(measured.details)} if measured.details else {},
            terms={key(kind, name): terms for name, terms in measured.terms.items()},
        )

    def _too_few(self, metric: Metric, measured: Measured) -> tuple[str, ...]:
        """Make the note on a score of fewer images than its metric's smallest sensible number."""
        if metric.sensible_n is None:
            return ()
        e, n = self._extractor, measured.conditions.get("n", self._material.n)
        sizes = {} if e is None else {"feature": e.num_features, "class": e.num_classes}
        return metric.sensible_n.notes(n, sizes, "" if e is None else e.name)

    def _protocol(self, metric: Metric, measured: Measured) -> Protocol:
        conditions = {
            "metric": metric.name,
            "revision": metric.revision,
            "reference_fingerprint": self._reference_fingerprint(),
            "split": self._material.split,
            "weights": self._subject.weights,
            **self._subject.sampling.conditions(drawn=metric.needs not in OF_MODEL),
            **measured.conditions,
            **self._kinds(measured),
            "settings": metric.own(self._material.settings),
        }
        recorded = {"reference": self._material.reference, "sample_seed": self._sample_seed()}
        return Protocol(conditions, {**recorded, "versions": library_versions()})

    def _kinds(self, measured: Measured) -> dict[str, Any]:
        """State the numbers in which features are kept, for a metric that reads features."""
        if "extractor" not in measured.conditions:
            return {}
        kinds = self._material.kinds(train="train" in measured.conditions)
        return {"features": kinds} if kinds else {}

    def _sample_seed(self) -> int | None:
        return None if self._subject.weights == "images" else self._asked.seed

    def _reference_fingerprint(self) -> str:
        if self._reference.statistics is not None:
            return fingerprint_of(self._material.real())
        return self._reference.examples(self._reference.split, "a score").fingerprint()

    def _place(self, metric: Metric) -> str:
        """Folder of a metric's files, below the output folder; that of the extractor if each of several has them."""
        return "" if self._one_pass is None or metric.kind else f"{self._material.extractor().name}/"

    def _files(self, metric: Metric, measured: Measured) -> Iterator[Path]:
        """Write the metric's arrays and pictures to the output folder, or below it, and yield the paths."""
        if self._asked.output is None:
            return
        folder = self._asked.output / self._place(metric)
        folder.mkdir(exist_ok=True)
        for name, arrays in measured.arrays.items():
            path = folder / f"{name}.npz"
            np.savez(path, **arrays)  # type: ignore[arg-type]
            yield path
        for name, picture in measured.pictures.items():
            path = folder / f"{name}.png"
            Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path)
            yield path

    # Checks.

    def _require_readable(self) -> None:
        """Raise, before anything is computed, if the extractor does not read the images, or one side has colours."""
        subject, reference, made = self._subject.name, self._reference.name, self._subject.shape
        shapes = {subject: made}
        if self._reference.statistics is None:
            shapes[reference] = real = self._reference.examples(self._reference.split, "a score").shape
            if len(real) == 3 and real[0] != made[0]:
                raise ValueError(
                    f"{subject}: images of {made[0]} channels against {real[0]} of the reference "
                    f"{reference}; convert one side, or check that they are those you meant"
                )
        for name, shape in shapes.items():
            try:
                self._material.extractor().check(torch.zeros(1, *shape, dtype=torch.uint8))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def _require_variety(self, real: Features | Statistics, fake: Features) -> None:
        """Raise if all images from files are equal; a model that has collapsed to one image is scored."""
        sides = {self._reference.name: real, self._subject.name: fake if self._subject.weights == "images" else None}
        for name, side in sides.items():
            if isinstance(side, Features) and side.n > 1 and _equal(side.values):
                raise ValueError(f"{name}: all {side.n} images have equal features; check how they were made")


def _equal(values: Tensor) -> bool:
    """Tell whether all rows are equal; the first row that differs ends the search."""
    return all(bool((part == values[0]).all()) for part in values.split(4096))


def _values(rows: Mapping[str, tuple[Row, Part]], side: str) -> dict[str, float]:
    found = rows[side][0].scores if side in rows else {}
    return {key: score.value for key, score in found.items() if math.isfinite(score.value)}


def _short(rows: Mapping[str, tuple[Row, Part]], n: int) -> tuple[str, ...]:
    if "floor" not in rows or rows["floor"][0].n >= n:
        return ()
    (row, part) = rows["floor"]
    used = f"all {row.n} training images" if row.n == len(part.examples) else f"{row.n} training images"
    return (f"the floor uses {used}, the score {n} generated images",)
