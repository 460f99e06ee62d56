"""Scores of a model: features of real and generated images, and the held-out bound of a VAE, each with its protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganvas.data.datamodule import DataModule
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.health.finding import Finding
from ganvas.health.findings import finding_on_classes
from ganvas.models import VAE, Model
from ganvas.scoring.protocol import Protocol
from ganvas.scoring.scores import Score, scores, standard_metrics
from ganvas.scoring.settings import MetricSettings
from ganvas.types import to_uint8

BATCH = 250
LIKELIHOOD_SEED = 0
LIKELIHOOD_TERMS = ("elbo", "reconstruction", "kl")


@dataclass(frozen=True)
class Scored:
    """Scores of one model.

    Args:
        scores: by key ``score/<extractor>/<metric>``.
        protocol: how those that stand on features were measured; None where there are none.
        findings: on the samples.
    """

    scores: dict[str, Score]
    protocol: Protocol | None
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``result.json``: scores with value and interval, protocol, fingerprint."""
        return {
            "scores": values_and_intervals(self.scores),
            "protocol": self.protocol and self.protocol.as_dict(),
            "fingerprint": self.protocol and self.protocol.fingerprint(),
        }


def values_and_intervals(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    """Scores as ``result.json`` holds them.

    Args:
        scores: by key.
    """
    return {key: {"value": s.value, "interval": s.interval} for key, s in scores.items()}


@dataclass(frozen=True, eq=False)
class FinalScores:
    """Everything a model is judged by, against the test split; against the training split where data has no other.

    Features of the reference are extracted once, however many models are scored.

    Args:
        data: what the models were trained on.
        extractor: of features; None scores no images.
        settings: of the metrics.
        n: images to generate.
        seed: of their latents.
    """

    data: DataModule
    extractor: Extractor | None
    settings: MetricSettings
    n: int
    seed: int

    @property
    def split(self) -> str:
        """Which part of the data is the reference."""
        return self.data.source.report_split

    def of(self, model: Model) -> Scored:
        """Scores of one model.

        Args:
            model: trained; its averaged weights are used where it keeps them.

        Returns:
            Scores by key, with their protocol.
        """
        likelihood = likelihood_scores(model, self.data, self.split) if isinstance(model, VAE) else {}
        if self.extractor is None:
            return Scored(likelihood, None)
        fake = extract(self.extractor, generated(model, self.n, self.seed), BATCH)
        metrics = standard_metrics(self.extractor.name, fake.logits is not None)
        found = scores(self._real, fake, metrics, self.settings) | likelihood
        return Scored(found, self._protocol(fake.n, model.weights), finding_on_classes(self._real, fake))

    @cached_property
    def _real(self) -> Features:
        assert self.extractor is not None
        examples = self.data.examples(self.split)
        return extract(self.extractor, (examples.batch(i) for i in torch.arange(len(examples)).split(BATCH)), BATCH)

    def _protocol(self, n: int, weights: str) -> Protocol:
        assert self.extractor is not None
        return self.extractor.protocol(
            reference=self.data.source.name,
            reference_fingerprint=self.data.examples(self.split).fingerprint(),
            split=self.split,
            n_real=self._real.n,
            n_fake=n,
            weights=weights,
            sample_seed=self.seed,
            settings=self.settings,
        )


def generated(model: Model, n: int, seed: int) -> Iterator[Tensor]:
    """``n`` images of a model at rest, in batches.

    Args:
        model: whose.
        n: how many.
        seed: of the latents.

    Yields:
        ``uint8 (b, c, h, w)``.
    """
    yield from to_uint8(model.sample(n, seed)).split(BATCH)


def likelihood_scores(model: VAE, data: DataModule, split: str) -> dict[str, Score]:
    """The bound's terms on held-out examples, in nats an image.

    Args:
        model: its averaged weights are used where it keeps them.
        data: what it was trained on.
        split: which part of it.

    Returns:
        Mean of ELBO, reconstruction and KL over all images of the split, by key ``score/likelihood/<term>``.
    """
    values: dict[str, list[Tensor]] = defaultdict(list)
    with torch.random.fork_rng():
        torch.manual_seed(LIKELIHOOD_SEED)
        for batch in data.held_out(split, None, BATCH):
            terms = model.evaluate(batch.to(model.device)).named()
            for name in LIKELIHOOD_TERMS:
                values[name].append(terms[name].double().cpu() * len(batch))
    n = len(data.examples(split))
    return {f"score/likelihood/{name}": Score(float(torch.stack(v).sum()) / n, None, "") for name, v in values.items()}
