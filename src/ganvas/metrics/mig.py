r"""Mutual information gap: how much more the most informative latent says about a factor than the second does.

.. math:: \mathrm{MIG} = \frac1K \sum_k \frac{1}{H(v_k)} \Big( I(z_{(1)}; v_k) - I(z_{(2)}; v_k) \Big),
    \qquad I(z_j; v_k) = \sum_{b, v} \hat p(b, v) \log \frac{\hat p(b, v)}{\hat p(b)\, \hat p(v)}, \qquad
    \hat p(b, v) = \frac1n \sum_{i : v_{ik} = v} \int_b N(z; \mu_{ij}, \sigma_{ij}^2) \, dz

with equal intervals b of the range of latent j, and :math:`(1), (2)` the latents with the largest and the second
largest information about factor k. The integral is that of the paper, over the posterior, taken as normal; an encoder
without spread puts each example into one interval. Libraries that use the posterior's mean alone, in 20 intervals
(Locatello et al. 2019), report other values: they give a latent that is not used as much weight as any other. With
fewer intervals than a factor has values the factors themselves have less than 1: the floor says how much.

Reference: Chen et al. 2018, equation 6 and appendix C, https://arxiv.org/abs/1802.04942
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ganvas.metrics.base import FACTORS, SEED, Material, Measured, Metric
from ganvas.metrics.factors import BINS, COUNT, KIND, PARTS, Codes, Judged, gap, measured, shares, table


def information(joint: Float64[np.ndarray, "k l"]) -> float:
    """Compute the mutual information of rows and columns from how often each pair occurs, nats."""
    p = joint / joint.sum()
    independent = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())


def mig(known: Codes, bins: int) -> Judged:
    """Compute the mean gap over the factors; the matrix holds the mutual information of each latent and factor, nats.

    Args:
        known: codes and factors.
        bins: number of intervals of each latent.
    """
    latents = zip(known.codes.T, known.spreads.T, strict=True)
    spread = [shares(means, deviations, bins) for means, deviations in latents]
    matrix = np.array([[information(table(part, v)) for v in known.values.T] for part in spread])
    entropies = np.array([information(np.diag(np.bincount(v).astype(np.float64))) for v in known.values.T])
    return Judged({"mig": float((gap(matrix) / entropies).mean())}, matrix)


def _mig(material: Material) -> Measured:
    bins = material.settings[BINS.name]
    return measured(material, "mig", lambda known: mig(known, bins))


METRIC = Metric(
    "mig",
    FACTORS,
    {"mig": False},
    (BINS, COUNT, PARTS, SEED),
    1,
    _mig,
    "mutual information gap: how much more the best latent says about a factor than the second best, as a share of its "
    "entropy",
    KIND,
)
