r"""Codes of examples whose factors of variation are known, and what the metrics of disentanglement share.

The code of an example is the mean :math:`\mu` of its posterior. Even a latent that the model does not use has means
that differ a little, and whatever adapts to its scale could tell examples apart by them. So a latent counts as constant
unless a hundredth of its variance lies between examples:

.. math:: \frac{\operatorname{Var} \mu_j}{\operatorname{Var} \mu_j + \mathbb{E} \sigma_j^2} > 0.01.

Each metric makes one matrix, a number for each latent and factor, and its scores from it. The standard error of a score
follows from the same score of :math:`m` disjoint parts of the examples,

.. math:: \mathrm{SE} = \frac{1}{\sqrt m} \sqrt{\frac{1}{m - 1} \sum_{i=1}^{m} (s_i - \bar s)^2},

and holds the model fixed: it does not say how much another seed of the training changes the score. The floor is the
score of the factors themselves in place of codes, the best that a model can reach; the ceiling is that of noise.

Reference: Burda et al. 2016, section 5.3 (active units, where the posterior's variance is near 1),
https://arxiv.org/abs/1509.00519
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import ndtr

from ganvas.data.source import KnownFactor
from ganvas.metrics.settings import Setting

if TYPE_CHECKING:
    from ganvas.metrics.base import Material, Measured

KIND: Final = "factors"
COUNT: Final = Setting(
    "factors.n", 10_000, "number of held-out examples, at most all (Locatello et al.: 10,000)", least=100, decides=False
)
PARTS: Final = Setting(
    "factors.parts", 5, "number of disjoint parts that the standard error is computed over", least=2, decides=False
)
BINS: Final = Setting("factors.bins", 50, "number of intervals of a latent in mig and sap", least=2)
USED: Final = 0.01
"""Share of a latent's variance that must be between examples."""
_LEAST: Final = 20
"""Smallest number of examples in a part."""


@final
@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of some examples, and the values of their factors.

    Args:
        codes: mean of the posterior, one row for each example, one column for each latent.
        spreads: standard deviation of the posterior; 0 for an encoder without one.
        values: value of each example in each factor, by its number.
        factors: the factors, in the order of the columns of ``values``.

    Raises:
        ValueError: there are fewer than two latents, codes are not finite, or a factor has one value in all examples.
    """

    codes: Float64[np.ndarray, "n d"]
    spreads: Float64[np.ndarray, "n d"]
    values: Int64[np.ndarray, "n f"]
    factors: tuple[KnownFactor, ...]

    def __post_init__(self) -> None:
        n, d = self.codes.shape
        if d < 2:
            raise ValueError(f"codes: expected at least 2 latents, got {d}; a gap needs two to compare")
        if bad := int((~np.isfinite(self.codes + self.spreads)).any(1).sum()):
            raise ValueError(f"codes: {bad} of {n} examples have codes that are not finite; the model has diverged")
        for factor, column in zip(self.factors, self.values.T, strict=True):
            if not n or (column == column[0]).all():
                raise ValueError(
                    f"values: the factor {factor.name} has one value in all {n} examples; raise {COUNT.name}, or lower "
                    f"{PARTS.name}"
                )

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def used(self) -> Float64[np.ndarray, "n d"]:
        """The codes, with 0 for every latent that the model does not use."""
        between, within = self.codes.var(0), np.square(self.spreads).mean(0)
        return np.where(between > USED * (between + within), self.codes, 0.0)

    def with_codes(self, codes: Float64[np.ndarray, "n d"]) -> Codes:
        """Return the same examples with other codes, of an encoder without spread."""
        return Codes(codes, np.zeros_like(codes), self.values, self.factors)

    def at(self, index: Int64[np.ndarray, " m"]) -> Codes:
        """Return some of the examples."""
        return Codes(self.codes[index], self.spreads[index], self.values[index], self.factors)

    def parts(self, m: int, seed: int) -> Iterator[Codes]:
        """Yield ``m`` disjoint parts of nearly equal size.

        Args:
            m: number of parts.
            seed: seed of the order in which examples are dealt to parts.

        Raises:
            ValueError: a part has too few examples.
        """
        if len(self) < _LEAST * m:
            raise ValueError(
                f"{PARTS.name}={m}: expected at least {_LEAST} examples in each part, got {len(self)} in all; hold "
                f"more examples out, or lower {PARTS.name}"
            )
        yield from map(self.at, np.array_split(np.random.RandomState(seed).permutation(len(self)), m))

    def conditions(self) -> dict[str, Any]:
        """Facts of a score's protocol: number of examples, the factors, and their values, which images do not show."""
        return {
            "n": len(self),
            "factors": {factor.name: factor.values for factor in self.factors},
            "values": hashlib.sha256(np.ascontiguousarray(self.values).data).hexdigest(),
        }


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of some codes, and the matrix that they were made from.

    Args:
        scores: scores by name.
        matrix: one row for each latent, one column for each factor.
    """

    scores: Mapping[str, float]
    matrix: Float64[np.ndarray, "d f"]


def gap(matrix: Float64[np.ndarray, "d f"]) -> Float64[np.ndarray, " f"]:
    """Subtract, for each factor, the second largest number of all latents from the largest one."""
    second, first = np.sort(matrix, axis=0)[-2:]
    return first - second


def shares(
    means: Float64[np.ndarray, " n"], spreads: Float64[np.ndarray, " n"], bins: int
) -> Float64[np.ndarray, "n bins"]:
    """Compute how much of each example's normal posterior lies in each of equal intervals of a latent.

    The intervals cut the range of all means, three standard deviations wider; the outer ones are open.

    Args:
        means: mean of each example.
        spreads: standard deviation of each example; 0 puts all of it into one interval.
        bins: number of intervals, at least 2.
    """
    low, high = (means - 3 * spreads).min(), (means + 3 * spreads).max()
    distance = np.linspace(low, high, bins + 1)[1:-1] - means[:, None]
    sides = np.where(distance > 0, np.inf, -np.inf)
    scaled = np.divide(distance, spreads[:, None], out=sides, where=spreads[:, None] > 0)
    ends = np.zeros((len(means), 1)), np.ones((len(means), 1))
    return np.diff(np.concatenate([ends[0], ndtr(scaled), ends[1]], axis=1), axis=1)


def table(part: Float64[np.ndarray, "n bins"], values: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "bins values"]:
    """Add up how much of the examples with each value lies in each interval; a value that no example has is left out.

    Args:
        part: how much of each example lies in each interval.
        values: value of each example.
    """
    return part.T @ (values[:, None] == np.unique(values)).astype(np.float64)


def measured(material: Material, metric: str, judge: Callable[[Codes], Judged]) -> Measured:
    """Judge the codes of held-out examples, with standard errors, floor and ceiling.

    The matrix is written to ``<metric>.npz``, with the names of the factors.

    Args:
        material: inputs of the metric.
        metric: name of the metric.
        judge: computes scores of codes, always the same of the same codes.
    """
    from ganvas.metrics.base import Measured, Score

    known, s = material.codes(metric), material.settings
    found, m = judge(known), s[PARTS.name]
    parts = [judge(part).scores for part in known.parts(m, s.seed)]
    over = f"{m} parts of {len(known)} {material.split} examples, model held"
    errors = {name: float(np.std([part[name] for part in parts], ddof=1)) / math.sqrt(m) for name in found.scores}
    noise = np.random.RandomState(s.seed).standard_normal(known.codes.shape)
    truth = known.values.astype(np.float64)
    return Measured(
        {name: Score(value, errors[name], over) for name, value in found.scores.items()},
        floor=judge(known.with_codes(truth)).scores if material.calibration and truth.shape[1] > 1 else {},
        ceiling=judge(known.with_codes(noise)).scores if material.calibration else {},
        conditions={**known.conditions(), "transform": dict(material.transform())},
        arrays={metric: {"matrix": found.matrix, "factors": np.array([f.name for f in known.factors])}},
    )
