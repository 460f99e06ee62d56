r"""Disentanglement, completeness and informativeness, from how important each latent is to a predictor of each factor.

With :math:`R_{jk} \ge 0` the importance of latent j to the predictor of factor k, of d latents and K factors,

.. math::
    D &= \sum_j \frac{\sum_k R_{jk}}{\sum_{jk} R_{jk}} \big( 1 - H_K(R_{j \cdot}) \big)
    && \text{a latent serves one factor,} \\
    C &= \frac1K \sum_k \big( 1 - H_d(R_{\cdot k}) \big) && \text{a factor is in one latent,} \\
    I &= \frac1K \sum_k S_k && \text{the factors are known from the latents,}

where :math:`H_b` is the entropy, to base b, of the numbers as shares of their sum. The predictor is a random forest
(scikit-learn; every split may use every latent) with importances by impurity; :math:`S_k` is its score on examples that
it was not grown on, a fifth of all: the share of explained variance of an ordered factor, at least 0, the accuracy for
kinds. A latent that is not used counts as constant (:mod:`ganvas.metrics.factors`).

Reference: Eastwood and Williams 2018, section 2, https://openreview.net/forum?id=By-7dz-AZ, whose predictors are the
lasso and a random forest; libraries with boosted trees, which take every factor for kinds, report other values.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ganvas.metrics.base import FACTORS, SEED, Material, Measured, Metric
from ganvas.metrics.factors import COUNT, KIND, PARTS, Codes, Judged, measured
from ganvas.metrics.settings import Setting

TESTED = 5
"""One of so many examples is held out of the forest's growing."""


def concentration(matrix: Float64[np.ndarray, "r c"]) -> Float64[np.ndarray, " r"]:
    """Compute one minus the entropy of each row, to the base of its length; 0 for a row of zeros.

    Args:
        matrix: numbers of at least 0, in rows of at least 2.
    """
    total = matrix.sum(1, keepdims=True)
    p = np.where(total > 0, matrix / np.where(total > 0, total, 1), 1 / matrix.shape[1])
    logs = np.log(p, where=p > 0, out=np.zeros_like(p))
    return 1 + (p * logs).sum(1) / np.log(matrix.shape[1])


def disentanglement(importances: Float64[np.ndarray, "d f"]) -> float:
    """Average the concentration of the latents, weighted by their importance; 0 if none is important."""
    weights = importances.sum(1)
    return float((concentration(importances) * weights).sum() / weights.sum()) if weights.sum() > 0 else 0.0


def dci(known: Codes, trees: int, seed: int) -> Judged:
    """Compute the three scores; the matrix holds the importance of each latent to the predictor of each factor.

    Args:
        known: codes and factors; of one factor, disentanglement is 1.
        trees: number of trees in a forest.
        seed: seed of the forests and of the choice of test examples.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    order = np.random.RandomState(seed).permutation(len(known))
    train, test = order[len(order) // TESTED :], order[: len(order) // TESTED]
    codes, columns, scores = known.used, [], []
    for factor, values in zip(known.factors, known.values.T, strict=True):
        kind = RandomForestRegressor if factor.ordered else RandomForestClassifier
        forest = kind(trees, max_features=None, random_state=seed).fit(codes[train], values[train])
        columns.append(forest.feature_importances_)
        scores.append(max(0.0, float(forest.score(codes[test], values[test]))))
    matrix = np.stack(columns, axis=1)
    found = {
        "dci_disentanglement": disentanglement(matrix) if len(known.factors) > 1 else 1.0,
        "dci_completeness": float(concentration(matrix.T).mean()),
        "dci_informativeness": float(np.mean(scores)),
    }
    return Judged(found, matrix)


_TREES = Setting("factors.trees", 10, "number of trees in a forest of dci", least=1)


def _dci(material: Material) -> Measured:
    trees, seed = material.settings[_TREES.name], material.settings.seed
    return measured(material, "dci", lambda known: dci(known, trees, seed))


METRIC = Metric(
    "dci",
    FACTORS,
    {"dci_disentanglement": False, "dci_completeness": False, "dci_informativeness": False},
    (_TREES, COUNT, PARTS, SEED),
    1,
    _dci,
    "by random forests that predict the factors from the latents: does a latent serve one factor, is a factor in one "
    "latent, are the factors known",
    KIND,
)
