r"""Accuracy of a model's own classifier: share of held-out images whose class it names.

.. math:: \frac1n \#\{i : \arg\max_k q(k \mid x_i) = y_i\}
"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from ganvas.metrics.base import CLASSES, Material, Measured, Metric
from ganvas.metrics.share import share
from ganvas.types import Batch, Classifies

BATCH = 250


def _classification(material: Material) -> Measured:
    model = material.classifier("classification")
    right = torch.cat([_right(model, batch).cpu() for batch in material.held_out(None, BATCH)])
    facts = {"n": len(right), "transform": dict(material.transform())}
    accuracy = share(right, f"{material.split} images")
    return Measured({"accuracy": accuracy}, conditions=facts, terms={"accuracy": right.double()})


def _right(model: Classifies, batch: Batch) -> Bool[Tensor, " n"]:
    assert batch.y is not None  # such a model trains on labelled data only
    return model.class_logits(batch).argmax(1) == batch.y


METRIC = Metric(
    "classification",
    CLASSES,
    {"accuracy": False},
    (),
    1,
    _classification,
    "share of held-out images whose class the model itself names (`model=m2`)",
    "classifier",
)
