r"""Capacity: the KL is held at a given number of nats, which is usually raised while the model trains.

.. math:: L = -\mathbb{E} \log p(x \mid z) + \gamma\, \big| \mathbb{E}_x \mathrm{KL}(q(z \mid x) \,\|\, p(z)) - C \big|.

``+schedule@schedules.objective.capacity=ramp`` moves :math:`C`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class Capacity(Bound):
    r"""ELBO whose KL is drawn to C nats: :math:`-E_q \log p(x \mid z) + \gamma\, |\mathrm{KL} - C|`.

    Reference:
        Burgess et al. 2018, eq. 8, https://arxiv.org/abs/1804.03599

    Args:
        samples: k, draws of the latents for each image, at least 1.
        weight: :math:`\gamma`, positive.
        capacity: :math:`C`, nats, at least 0.

    Raises:
        ValueError: if ``samples`` is below 1, ``weight`` is not positive or ``capacity`` is below 0.
    """

    weight: float
    capacity: float

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 1000.")
        require(self.capacity >= 0, "capacity", self.capacity, "nats, at least 0", "Use 25.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; the mean KL of the batch is compared with the capacity."""
        away = (draws.divergence.sum(dim=1).mean() - self.capacity).abs()
        penalties = {"capacity_distance": away}
        return bound_terms(draws, total=self.weight * away - draws.log_px_z.mean(), penalties=penalties)
