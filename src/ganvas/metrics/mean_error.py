r"""A mean over examples with its standard error, as likelihoods are reported.

.. math:: \bar v = \frac1n \sum_i v_i, \qquad \mathrm{SE} = \sqrt{\frac{1}{n (n - 1)} \sum_i (v_i - \bar v)^2}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True)
class MeanError:
    """A mean over independent examples.

    Args:
        mean: mean in the unit of the values.
        standard_error: standard error over examples (not over seeds); NaN for a single example.
        n: number of examples.
    """

    mean: float
    standard_error: float
    n: int


def mean_error(values: Float[Tensor, " n"]) -> MeanError:
    r"""Mean and standard error, in float64.

    .. math:: \bar v, \qquad s / \sqrt n \text{ with the unbiased } s^2

    Reference: the ± of Goodfellow et al. 2014, table 1, https://arxiv.org/abs/1406.2661.

    Args:
        values: one finite value for each example, at least one.

    Raises:
        ValueError: there is no value, or values are not finite.
    """
    if not len(values) or not values.isfinite().all():
        bad = int((~values.isfinite()).sum())
        raise ValueError(f"values: expected at least one and finite ones, got {len(values)} with {bad} not finite")
    values = values.double()
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return MeanError(float(values.mean()), error, len(values))
