r"""Separated attribute predictability: how much better one latent alone predicts a factor than the second best does.

.. math:: \mathrm{SAP} = \frac1K \sum_k \big( S_{(1) k} - S_{(2) k} \big)

with :math:`S_{jk}` the predictability of factor k from latent j: for ordered factors the share of variance that a line
explains, for kinds the balanced accuracy of the best thresholds among the edges of equal intervals b,

.. math:: S_{jk} = \frac{\operatorname{Cov}(z_j, v_k)^2}{\operatorname{Var} z_j \operatorname{Var} v_k}
    \qquad \text{or} \qquad S_{jk} = \frac1C \sum_b \max_c \hat p(b \mid v_k = c).

Chance is 0 for an ordered factor and 1 / C for C kinds, so that the factors themselves have less than 1 if some are
kinds: the floor says how much. A latent that is not used counts as constant (:mod:`ganvas.metrics.factors`). Libraries
that take every factor for kinds, and separate them by one linear classifier, report other values.

Reference: Kumar et al. 2018, section 3, https://arxiv.org/abs/1711.00848
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ganvas.metrics.base import FACTORS, SEED, Material, Measured, Metric
from ganvas.metrics.factors import BINS, COUNT, KIND, PARTS, Codes, Judged, gap, measured, shares, table


def explained(codes: Float64[np.ndarray, "n d"], values: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " d"]:
    """Compute the share of a factor's variance that a line in each latent explains; 0 for a constant latent."""
    z, v = codes - codes.mean(0), values - values.mean()
    spread = (z * z).mean(0)
    return (z * v[:, None]).mean(0) ** 2 / np.where(spread > 0, spread, 1) / (v * v).mean()


def separated(
    codes: Float64[np.ndarray, "n d"], values: Int64[np.ndarray, " n"], bins: int
) -> Float64[np.ndarray, " d"]:
    """Compute the balanced accuracy of guessing, in each interval of a latent, the kind that most often falls there."""
    tables = [table(shares(z, np.zeros_like(z), bins), values) for z in codes.T]
    return np.array([(counts / counts.sum(0)).max(1).sum() / counts.shape[1] for counts in tables])


def sap(known: Codes, bins: int) -> Judged:
    """Compute the mean gap over the factors; the matrix holds the predictability of each factor from each latent.

    Args:
        known: codes and factors.
        bins: number of intervals whose edges are thresholds for kinds.
    """
    codes = known.used
    columns = [
        explained(codes, values) if factor.ordered else separated(codes, values, bins)
        for factor, values in zip(known.factors, known.values.T, strict=True)
    ]
    matrix = np.stack(columns, axis=1)
    return Judged({"sap": float(gap(matrix).mean())}, matrix)


def _sap(material: Material) -> Measured:
    bins = material.settings[BINS.name]
    return measured(material, "sap", lambda known: sap(known, bins))


METRIC = Metric(
    "sap",
    FACTORS,
    {"sap": False},
    (BINS, COUNT, PARTS, SEED),
    1,
    _sap,
    "separated attribute predictability: how much better the best latent alone predicts a factor than the second best",
    KIND,
)
