r"""Discretised logistic likelihood: a probability for each of the 256 levels of a pixel.

A logistic density around the decoder's output is integrated over the bin of each level. The two outer bins are
unbounded, so that the 256 probabilities sum to one:

.. math::
    p(x_j \mid z) = \sigma\Big(\frac{x_j + \frac{1}{255} - \ell_j}{s}\Big)
                  - \sigma\Big(\frac{x_j - \frac{1}{255} - \ell_j}{s}\Big), \qquad x_j = -1 + \tfrac{2}{255} u_j.

The logarithm of the difference is computed from factors, which is stable: for :math:`a > b`,

.. math:: \log(\sigma(a) - \sigma(b)) = \log \sigma(a) + \log \sigma(-b) + \log(1 - e^{b - a}).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from ganvas.objectives.likelihoods.base import Likelihood, resolve_log_scale, sum_coordinates
from ganvas.objectives.validation import require
from ganvas.types import widen

HALF_BIN = 1 / 255
"""Half the distance between two levels on the [-1, 1] scale."""


@final
@dataclass(frozen=True)
class DiscretisedLogistic(Likelihood):
    r"""Independent logistic pixels, integrated over the bins of 256 levels.

    Reference:
        Kingma et al. 2016, appendix C.7, https://arxiv.org/abs/1606.04934; unbounded outer bins: Salimans et al. 2017,
        eq. 2, https://arxiv.org/abs/1701.05517

    Args:
        scale: :math:`s` in units of the [-1, 1] scale, positive; None learns it for each channel.

    Raises:
        ValueError: ``scale`` is not positive.
    """

    scale: float | None
    space: ClassVar[str] = "256 levels"

    def __post_init__(self) -> None:
        valid = self.scale is None or self.scale > 0
        require(valid, "scale", self.scale, "a positive number or null", "Use null to learn it.")

    @property
    def learned_scale(self) -> bool:
        r"""Whether :math:`\log s` is a parameter of the model."""
        return self.scale is None

    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        r"""Return the log-probability in nats, see :meth:`Likelihood.log_prob`; ``log_scale`` is :math:`\log s`."""
        x = widen(x)
        inverse_scale = torch.exp(-resolve_log_scale(self.scale, log_scale, x))
        return sum_coordinates(log_bin_probability(x, widen(location), inverse_scale), x)

    def mean(self, location: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the location, the centre of the logistic distribution, clipped to [-1, 1]."""
        return location.clamp(-1, 1)


def log_bin_probability(
    x: Float[Tensor, " ..."], location: Float[Tensor, " ..."], inverse_scale: Float[Tensor, " ..."]
) -> Float[Tensor, " ..."]:
    """Compute the log-probability of the bin of a level, nats; the arguments broadcast.

    Args:
        x: levels, in [-1, 1].
        location: centres of logistic distributions.
        inverse_scale: inverses of their scales.
    """
    centred = x - location
    below_upper_edge = logsigmoid((centred + HALF_BIN) * inverse_scale)
    above_lower_edge = logsigmoid((HALF_BIN - centred) * inverse_scale)
    between = below_upper_edge + above_lower_edge + torch.log(-torch.expm1(-2 * HALF_BIN * inverse_scale))
    with_low_end = torch.where(x < -1 + HALF_BIN, below_upper_edge, between)
    return torch.where(x > 1 - HALF_BIN, above_lower_edge, with_low_end)
