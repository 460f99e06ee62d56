"""Scores of a model: features of real and generated images, and the held-out bound of a VAE, each with its protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganvas.data.datamodule import DataModule
from ganvas.metrics.extractor import Extractor
from ganvas.metrics.features import extract
from ganvas.metrics.protocol import FINAL, Protocol, library_versions
from ganvas.metrics.score import Score, scores, standard_metrics
from ganvas.metrics.settings import MetricSettings
from ganvas.models import VAE, Model
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
    """

    scores: dict[str, Score]
    protocol: Protocol | None

    def as_dict(self) -> dict[str, Any]:
        """For ``result.json``: scores with value and interval, protocol, fingerprint."""
        return {
            "scores": {key: {"value": s.value, "interval": s.interval} for key, s in self.scores.items()},
            "protocol": self.protocol and self.protocol.as_dict(),
            "fingerprint": self.protocol and self.protocol.fingerprint(),
        }


def final_scores(
    model: Model, data: DataModule, extractor: Extractor | None, settings: MetricSettings, n: int, seed: int
) -> Scored:
    """Everything a model is judged by, against the test split; against the training split where data has no other.

    Args:
        model: trained; its averaged weights are used where it keeps them.
        data: what it was trained on.
        extractor: of features; None scores no images.
        settings: of the metrics.
        n: images to generate.
        seed: of their latents.

    Returns:
        Scores by key, with their protocol.
    """
    split = "test" if "test" in data.source.splits else "train"
    likelihood = likelihood_scores(model, data, split) if isinstance(model, VAE) else {}
    if extractor is None:
        return Scored(likelihood, None)
    examples = data.examples(split)
    real = extract(extractor, (examples.batch(i) for i in torch.arange(len(examples)).split(BATCH)), BATCH)
    fake = extract(extractor, generated(model, n, seed), BATCH)
    protocol = Protocol(
        extractor=extractor.name,
        weights_hash=extractor.weights_hash,
        preprocessing=extractor.preprocessing,
        reference=data.source.name,
        reference_fingerprint=examples.fingerprint(),
        split=split,
        n_real=real.n,
        n_fake=fake.n,
        weights=model.weights,
        sample_seed=seed,
        settings=settings,
        library=FINAL,
        versions=library_versions(),
    )
    return Scored(
        scores(real, fake, standard_metrics(extractor.name, fake.logits is not None), settings) | likelihood, protocol
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
            terms = model.evaluate(batch.to(model.device))
            for name in LIKELIHOOD_TERMS:
                values[name].append(terms[name].double().cpu() * len(batch))
    n = len(data.examples(split))
    return {f"score/likelihood/{name}": Score(float(torch.stack(v).sum()) / n, None, "") for name, v in values.items()}
