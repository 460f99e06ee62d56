r"""Gaussian likelihood whose decoder gives a mean and a standard deviation for each coordinate of each example.

.. math::
    \log p(x \mid z) = \sum_j -\frac{(x_j - \tanh m_j)^2}{2 \sigma_j^2} - \log \sigma_j - \tfrac{1}{2} \log 2 \pi,
    \qquad (m, \log \sigma) = \text{decoder}(z).

It is a density on the [-1, 1] scale. On a scale of [0, 1], as in the paper, each coordinate adds log 2 nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.likelihoods.base import Likelihood, require_location, sum_coordinates
from ganvas.types import Shape, widen

LEAST_LOG_SIGMA: Final = -7.0
"""Smallest log standard deviation, a tenth of a level of 256: without one, a constant pixel has infinite density."""


@final
@dataclass(frozen=True)
class PixelGaussian(Likelihood):
    """Independent normal coordinates, mean and standard deviation from the decoder.

    Reference:
        Kingma and Welling 2014, appendix C.2, equation 12, https://arxiv.org/abs/1312.6114
    """

    space: ClassVar[str] = "density on [-1, 1]"

    @property
    def learned_scale(self) -> bool:
        """False: the deviations are outputs of the decoder."""
        return False

    def location_shape(self, shape: Shape) -> Shape:
        """Compute the shape of the decoder's output, see :class:`ganvas.types.Locates`.

        Args:
            shape: shape of one example, channels first.
        """
        return 2 * shape[0], *shape[1:]

    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        """Return the log density in nats, see :meth:`Likelihood.log_prob`.

        Args:
            x: examples in [-1, 1].
            location: the decoder's output, of the shape that :meth:`location_shape` says.
            log_scale: None.

        Raises:
            ValueError: a log-scale is given, or the location has another shape.
        """
        require_location(self.location_shape(x.shape[1:]), location, log_scale)
        m, log_sigma = widen(location).chunk(2, dim=1 - x.ndim)
        log_sigma = log_sigma.clamp(min=LEAST_LOG_SIGMA)
        standardised = (widen(x) - m.tanh()) * torch.exp(-log_sigma)
        return sum_coordinates(-standardised.square() / 2 - log_sigma - math.log(2 * math.pi) / 2, x)

    def mean(self, location: Float[Tensor, "n *location"]) -> Float[Tensor, "n *shape"]:
        """Return the mean of each coordinate, in [-1, 1].

        Args:
            location: the decoder's output.
        """
        return location.chunk(2, dim=1)[0].tanh()
