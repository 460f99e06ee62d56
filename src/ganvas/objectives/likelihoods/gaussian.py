r"""Gaussian likelihood on the [-1, 1] scale of the data; the decoder's output is the mean.

.. math::
    \log p(x \mid z) = \sum_j -\frac{(x_j - \ell_j)^2}{2 \sigma^2} - \log \sigma - \tfrac{1}{2} \log 2 \pi.

With :math:`\sigma = 1` it is minus half the summed squared error, up to a constant. It is a density: on images of 256
levels a small :math:`\sigma` can make it arbitrarily large, and it cannot be compared with a discrete likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.likelihoods.base import Likelihood, resolve_log_scale, sum_coordinates
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Gaussian(Likelihood):
    r"""Independent normal coordinates with one :math:`\sigma`, or one learned for each channel.

    Reference:
        Kingma and Welling 2014, appendix C.2, eq. 12, https://arxiv.org/abs/1312.6114; learned sigma: Rybkin et al.
        2021, section 3.1, https://arxiv.org/abs/2006.13202

    Args:
        sigma: standard deviation in units of the [-1, 1] scale, positive; None learns it for each channel.

    Raises:
        ValueError: ``sigma`` is not positive.
    """

    sigma: float | None
    space: ClassVar[str] = "density on [-1, 1]"

    def __post_init__(self) -> None:
        valid = self.sigma is None or self.sigma > 0
        require(valid, "sigma", self.sigma, "a positive number or null", "Use 1.0, or null to learn it.")

    @property
    def learned_scale(self) -> bool:
        r"""Whether :math:`\log \sigma` is a parameter of the model."""
        return self.sigma is None

    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        r"""Return the log density in nats, see :meth:`Likelihood.log_prob`; ``log_scale`` is :math:`\log \sigma`."""
        log_sigma = resolve_log_scale(self.sigma, log_scale, x)
        standardised = (widen(x) - widen(location)) * torch.exp(-log_sigma)
        return sum_coordinates(-standardised.square() / 2 - log_sigma - math.log(2 * math.pi) / 2, x)

    def mean(self, location: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the location unchanged; it is unbounded, and images are clipped when they become ``uint8``."""
        return location
