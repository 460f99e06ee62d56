r"""Length of the codes of held-out examples by the prior over codes, in bits for each coordinate of an example.

.. math:: \frac1n \sum_x \frac{-\log_2 p(c(x))}{D}

The codes do not hold all of an example: the length says how good the prior is for these codes, and is no likelihood of
the examples. Lengths are comparable if the same encoder and the same codebook made the codes.
"""

from __future__ import annotations

import math

import torch

from ganvas.metrics.base import CODES, Material, Measured, Metric, Score
from ganvas.metrics.mean_error import mean_error

BATCH = 250


def _code_bits(material: Material) -> Measured:
    model = material.coded_model("code_bits")
    nats = torch.cat([model.code_nats(batch).cpu().double() for batch in material.held_out(None, BATCH)])
    if impossible := int((~nats.isfinite()).sum()):
        raise ValueError(
            f"metrics: code_bits is infinite: {impossible} of {len(nats)} held-out examples have a code that its place "
            "never had in training; leave code_bits out, or train model=code_prior on this run"
        )
    bits = nats / (math.log(2) * math.prod(material.shape))
    mean = mean_error(bits)
    score = Score(mean.mean, mean.standard_error, f"{mean.n} {material.split} images")
    facts = {"n": mean.n, "transform": dict(material.transform()), "coding": model.coding()}
    return Measured({"bits_per_dimension": score}, conditions=facts, terms={"bits_per_dimension": bits})


METRIC = Metric(
    "code_bits",
    CODES,
    {"bits_per_dimension": True},
    (),
    1,
    _code_bits,
    "length of the codes of held-out examples by the prior over codes, bits for each pixel and channel",
    "codes",
)
