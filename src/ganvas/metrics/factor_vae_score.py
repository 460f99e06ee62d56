r"""FactorVAE score: the accuracy of telling which factor was held fixed from the latent that varies least.

A vote draws a factor k, fixes it at the value of a random example, draws L examples with this value, and finds the
latent that varies least among them, each latent in units of its variance over all examples:

.. math:: j = \arg\min_j \frac{\operatorname{Var}_\text{fixed}(z_j)}{\operatorname{Var}(z_j)}.

A classifier maps each latent to the factor with the most votes :math:`V_{jk}` for it. The score is its accuracy on new
votes; a guess of the factor has about 1 / K. A latent that is not used (:mod:`ganvas.metrics.factors`) gets no vote.

Reference: Kim and Mnih 2018, section 4, https://arxiv.org/abs/1802.05983
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ganvas.metrics.base import FACTORS, SEED, Material, Measured, Metric
from ganvas.metrics.factors import COUNT, KIND, PARTS, Codes, Judged, measured
from ganvas.metrics.settings import Setting


def draw(
    values: Int64[np.ndarray, "n f"], votes: int, size: int, random: np.random.RandomState
) -> tuple[Int64[np.ndarray, " votes"], Int64[np.ndarray, "votes size"]]:
    """Draw a factor for each vote, and the positions of examples that share its value, with repetitions.

    Args:
        values: value of each example in each factor.
        votes: number of votes.
        size: number of examples behind a vote.
        random: the source of the draws.
    """
    factors = random.randint(values.shape[1], size=votes)
    firsts = random.randint(len(values), size=votes)
    shares = random.random_sample((votes, size))
    found = np.empty((votes, size), dtype=np.int64)
    for factor, column in enumerate(values.T):
        order = np.argsort(column, kind="stable")
        ends = np.searchsorted(column[order], np.arange(column.max() + 2))
        mine = factors == factor
        value = column[firsts[mine]]
        start, count = ends[value], ends[value + 1] - ends[value]
        found[mine] = order[start[:, None] + (shares[mine] * count[:, None]).astype(np.int64)]
    return factors, found


def cast(known: Codes, votes: int, size: int, random: np.random.RandomState) -> Float64[np.ndarray, "d f"]:
    """Count the votes for each latent and factor; see :func:`draw`."""
    factors, rows = draw(known.values, votes, size, random)
    codes = known.used
    spread = codes.var(0)
    within = codes[rows].var(1) / np.where(spread > 0, spread, 1)
    least = np.where(spread > 0, within, np.inf).argmin(1)
    counts = np.zeros((codes.shape[1], known.values.shape[1]))
    np.add.at(counts, (least, factors), 1)
    return counts


def factor_vae_score(known: Codes, votes: int, size: int, seed: int) -> Judged:
    """Train the classifier on votes and test it on as many new ones; the matrix holds the votes that it was trained on.

    Args:
        known: codes and factors.
        votes: number of votes.
        size: L, number of examples behind a vote.
        seed: seed of the votes.
    """
    random = np.random.RandomState(seed)
    trained, tested = (cast(known, votes, size, random) for _ in range(2))
    right = tested[np.arange(len(tested)), trained.argmax(1)].sum() / votes
    return Judged({"factor_vae_score": float(right)}, trained)


_VOTES = Setting("factors.votes", 800, "number of votes of factor_vae_score (the paper: 800)", least=10)
_SIZE = Setting("factors.vote_size", 64, "number of examples behind a vote (Locatello et al.: 64)", least=2)


def _factor_vae_score(material: Material) -> Measured:
    s = material.settings
    votes, size = s[_VOTES.name], s[_SIZE.name]
    return measured(material, "factor_vae_score", lambda known: factor_vae_score(known, votes, size, s.seed))


METRIC = Metric(
    "factor_vae_score",
    FACTORS,
    {"factor_vae_score": False},
    (_VOTES, _SIZE, COUNT, PARTS, SEED),
    1,
    _factor_vae_score,
    "accuracy of telling which factor was held fixed from the latent that varies least",
    KIND,
)
