"""What metrics of a model ask of the scored model, and what they are told if it lacks it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Mapping
from typing import Any

from ganvas.display import counted
from ganvas.metrics.base import CLASSES, CODES, FACTORS, GENERATOR, MODEL, RECONSTRUCTIONS, Material, Metric
from ganvas.models import Model
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import ModelSubject, Subject
from ganvas.types import (
    Batch,
    BoundsEvidence,
    Classifies,
    CodesExamples,
    DrawsClasses,
    Encodes,
    HasFirstStage,
    Reconstructs,
)


class FromModel(Material, ABC):
    """Abstract: the part of a material that comes from the model itself.

    A method that returns the model raises ValueError, with the name of the metric, if the model cannot do what the
    metric needs, or if the reference is not its own data.
    """

    _subject: Subject
    _reference: Reference

    def bound_model(self, metric: str) -> BoundsEvidence:
        """See :meth:`Material.bound_model`."""
        model = self.bounds_evidence()
        if model is None:
            raise self._unable(metric, "a VAE with a bound on the evidence", "is none")
        self._require_own_data(metric)
        return model

    def coded_model(self, metric: str) -> CodesExamples:
        """See :meth:`Material.coded_model`."""
        model = self._model()
        if not isinstance(model, CodesExamples):
            raise self._unable(metric, "a model with codes (vq_vae, code_prior)", "is not one")
        self._require_own_data(metric)
        return model

    def encoder(self, metric: str) -> Encodes:
        """Return the model; ValueError, with the metric's name, if it does not encode, or its data state no factors."""
        subject, model = self._subject, self._model()
        if not isinstance(model, Encodes):
            raise self._unable(metric, "a model that encodes", "does not")
        self._require_own_data(metric)
        assert isinstance(subject, ModelSubject)
        if (source := subject.data.source).factors is None:
            raise ValueError(
                f"metrics: {metric} needs data whose factors are known, and those of {source.name} are not; train on "
                f"data=sprites, dsprites or shapes3d, or leave {metric} out"
            )
        return model

    def reconstructor(self, metric: str) -> Reconstructs:
        """See :meth:`Material.reconstructor`."""
        model = self._model()
        if not isinstance(model, Reconstructs):
            raise self._unable(metric, "a model that reconstructs", "does not")
        self._require_images(metric)
        self._require_own_data(metric)
        return model

    def generator(self, metric: str) -> DrawsClasses:
        """See :meth:`Material.generator`; latents are drawn and decoded by the options of sampling."""
        if not isinstance(self._subject, ModelSubject):
            raise self._unable(metric, "a model that decodes latents", "holds images")
        self._require_images(metric)
        return self._subject

    def classifier(self, metric: str) -> Classifies:
        """See :meth:`Material.classifier`."""
        model = self._model()
        if not isinstance(model, Classifies):
            raise self._unable(metric, "a model that names classes (m2)", "does not")
        self._require_own_data(metric)
        return model

    def require(self, metric: Metric) -> None:
        """Raise ValueError if a metric of a model does not apply; nothing is computed."""
        check = {
            MODEL: self.bound_model,
            CODES: self.coded_model,
            FACTORS: self.encoder,
            RECONSTRUCTIONS: self.reconstructor,
            CLASSES: self.classifier,
            GENERATOR: self.generator,
        }.get(metric.needs)
        if check is not None:
            check(metric.name)

    def _unable(self, metric: str, needed: str, reason: str) -> ValueError:
        return ValueError(f"metrics: {metric} needs {needed}, and {self.subject} {reason}; leave {metric} out")

    def _require_images(self, metric: str) -> None:
        if len(self.shape) != 3:
            raise ValueError(
                f"metrics: {metric} compares images, and {self.subject} makes points of shape {self.shape}; leave "
                f"{metric} out"
            )

    def _require_own_data(self, metric: str) -> None:
        if not self._reference.own:
            raise ValueError(
                f"metrics: {metric} is measured on the model's own data; leave reference={self.reference} out"
            )

    def held_out(self, n: int | None, batch_size: int) -> Iterator[Batch]:
        """See :meth:`Material.held_out`."""
        subject = self._subject
        assert isinstance(subject, ModelSubject)
        n = len(subject.data.examples(self.split)) if n is None else n
        for batch in counted("held-out images judged", subject.data.held_out(self.split, n, batch_size), n):
            yield batch.to(subject.model.device)

    def transform(self) -> Mapping[str, Any]:
        """See :meth:`Material.transform`."""
        subject = self._subject
        assert isinstance(subject, ModelSubject)
        return subject.data.transform.describe()

    def bounds_evidence(self) -> BoundsEvidence | None:
        """The model if it bounds the evidence, else None."""
        model = self._model()
        return model if isinstance(model, BoundsEvidence) else None

    def learns_codes(self) -> bool:
        """Whether the model is a prior over the codes of a first stage, and nothing else."""
        model = self._model()
        return isinstance(model, CodesExamples) and isinstance(model, HasFirstStage)

    def names_classes(self) -> bool:
        """Whether the model names classes."""
        return isinstance(self._model(), Classifies)

    def _model(self) -> Model | None:
        return self._subject.model if isinstance(self._subject, ModelSubject) else None
