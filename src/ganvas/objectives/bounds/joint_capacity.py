r"""Two capacities: normal latents and codes are held at a number of nats each, both usually raised in training.

.. math:: L = -\mathbb{E} \log p(x \mid z, c) + \gamma\, \big| \mathrm{KL}(q(z \mid x) \,\|\, p(z)) - C_z \big|
    + \gamma\, \big| \mathrm{KL}(q(c \mid x) \,\|\, p(c)) - \min(C_c, \textstyle\sum_i \log K_i) \big|,

with means over the batch. One capacity for all would be spent on the normal latents alone, which are easier to learn.
A code of K categories holds log K nats at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import ClassVar, final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class JointCapacity(Bound):
    r"""ELBO whose divergences of normal latents and of codes are drawn to a number of nats each.

    Reference:
        Dupont 2018, eq. 7, https://arxiv.org/abs/1804.00104

    Args:
        samples: k, draws of the latents for each image, at least 1.
        categorical: :math:`K_i`, categories of each code, whose divergences are the last columns; at least 2 each.
        weight: :math:`\gamma`, positive.
        capacity_continuous: :math:`C_z`, nats, at least 0.
        capacity_codes: :math:`C_c`, nats, at least 0.

    Raises:
        ValueError: an argument out of range.
    """

    categorical: Sequence[int]
    reads_posterior: ClassVar[bool] = True
    weight: float
    capacity_continuous: float
    capacity_codes: float

    def __post_init__(self) -> None:
        require_samples(self.samples)
        enough = len(self.categorical) > 0 and min(self.categorical) >= 2
        require(enough, "categorical", self.categorical, "at least 2 categories of each code", "Use prior=joint.")
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 30.")
        for name in ("capacity_continuous", "capacity_codes"):
            value = getattr(self, name)
            require(value >= 0, name, value, "nats, at least 0", "Use 5.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; the mean divergences of the batch are compared with the capacities."""
        mean = draws.divergence.mean(dim=0)
        numbers, codes = mean[: -len(self.categorical)].sum(), mean[-len(self.categorical) :].sum()
        reachable = min(self.capacity_codes, sum(map(log, self.categorical)))
        away_continuous, away_codes = (numbers - self.capacity_continuous).abs(), (codes - reachable).abs()
        penalties = {"distance_continuous": away_continuous, "distance_codes": away_codes, "kl_codes": codes}
        total = self.weight * (away_continuous + away_codes) - draws.log_px_z.mean()
        return bound_terms(draws, total=total, penalties=penalties)
