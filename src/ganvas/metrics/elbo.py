r"""ELBO of held-out examples, the bound on the evidence that a VAE is trained on, in nats per image.

.. math:: \frac1n \sum_x E_{q(z \mid x)}[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, p(z))
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from ganvas.metrics.base import MODEL, Material, Measured, Metric, Score

BATCH = 250
SEED = 0
"""Seed of the draws, the same for every model."""
TERMS = {"elbo": False, "reconstruction": None, "kl": None}


def _elbo(material: Material) -> Measured:
    model = material.bound_model("elbo")
    values: dict[str, list[Tensor]] = defaultdict(list)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        for batch in material.held_out(None, BATCH):
            terms = model.evaluate(batch)
            for name in TERMS:
                values[name].append(getattr(terms, name).double().cpu() * len(batch))
    n = len(material.examples(material.split, "elbo"))
    scores = {name: Score(float(torch.stack(parts).sum()) / n, None, "") for name, parts in values.items()}
    facts = {"n": n, "transform": dict(material.transform()), "space": model.evidence_space}
    return Measured(scores, conditions={**facts, "seed": SEED, "samples": model.objective.samples})


METRIC = Metric(
    "elbo", MODEL, TERMS, (), 1, _elbo, "evidence lower bound of held-out examples and its terms, nats", "likelihood"
)
