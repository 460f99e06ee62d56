r"""Mixture of discretised logistics: a probability for each of the 256 levels of a pixel, with several peaks.

For the channels c of a pixel and components k,

.. math::
    p(x \mid z) = \sum_{k=1}^{K} \pi_k \prod_c P(x_c; \mu_{kc}, s_{kc}), \qquad
    \mu_{kc} = m_{kc} + \sum_{j < c} \tanh(a_{kcj}) \, x_j,

where :math:`P` is the probability of a bin (:mod:`ganvas.objectives.likelihoods.discretised_logistic`). The means of
later channels depend on the earlier ones, so that a component is a distribution of whole colours.

For each pixel the decoder gives K times a logit, C means, C log-scales and C (C - 1) / 2 coefficients: 3 K numbers for
one channel, 10 K for three.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.likelihoods.base import Likelihood, require_location, sum_coordinates
from ganvas.objectives.likelihoods.discretised_logistic import log_bin_probability
from ganvas.objectives.validation import require
from ganvas.types import Shape, widen

LEAST_LOG_SCALE: Final = -7.0
"""Smallest log-scale, as in the authors' code: a tenth of a level."""


@final
@dataclass(frozen=True)
class LogisticMixture(Likelihood):
    """Mixture of discretised logistics for each pixel, with dependent channels.

    Reference:
        Salimans et al. 2017 (PixelCNN++), equations 1 to 3, https://arxiv.org/abs/1701.05517, and the authors' code

    Args:
        components: K, at least 1; 10 in the paper.

    Raises:
        ValueError: there is no component.
    """

    components: int
    space: ClassVar[str] = "256 levels"

    def __post_init__(self) -> None:
        require(self.components >= 1, "components", self.components, "an integer of at least 1", "Use 10.")

    @property
    def learned_scale(self) -> bool:
        """False: the scales are outputs of the decoder."""
        return False

    def location_shape(self, shape: Shape) -> Shape:
        """Compute the shape of the decoder's output, see :class:`ganvas.types.Locates`.

        Args:
            shape: shape of one example, channels first.
        """
        return self.components * (shape[0] + 1) * (shape[0] + 2) // 2, *shape[1:]

    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        """Return the log-probability in nats, see :meth:`Likelihood.log_prob`.

        Args:
            x: examples in [-1, 1].
            location: the decoder's output, of the shape that :meth:`location_shape` says.
            log_scale: None.

        Raises:
            ValueError: a log-scale is given, or the location has another shape.
        """
        require_location(self.location_shape(x.shape[1:]), location, log_scale)
        values = widen(x).movedim(1, -1)[..., None, :]  # channels last, beside the components
        logits, means, log_scales, dependence = self._parts(location, x.shape[1], 1 - x.ndim)
        means = means + (dependence * values[..., None, :]).sum(-1)
        bins = log_bin_probability(values, means, torch.exp(-log_scales))
        mixed = (logits.log_softmax(-1) + bins.sum(-1)).logsumexp(-1)
        return sum_coordinates(mixed.unsqueeze(mixed.ndim + 2 - x.ndim), x)

    def mean(self, location: Float[Tensor, "n *location"]) -> Float[Tensor, "n *shape"]:
        """Return the mean of the logistic distributions of each pixel, clipped to [-1, 1].

        Args:
            location: the decoder's output.
        """
        per_component = location.shape[1] // self.components  # (C + 1) (C + 2) / 2
        channels = (isqrt(8 * per_component + 1) - 3) // 2
        logits, means, _, dependence = self._parts(location, channels, 1 - location.ndim)
        found = means[..., :0]
        for c in range(channels):
            own = means[..., c] + (dependence[..., c, :c] * found).sum(-1)
            found = torch.cat([found, own[..., None]], dim=-1)
        return (logits.softmax(-1)[..., None] * found).sum(-2).clamp(-1, 1).movedim(-1, 1)

    def _parts(self, location: Tensor, channels: int, axis: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Split the location into logits, means, log-scales, and the dependence of a mean on earlier channels.

        Args:
            location: the decoder's output.
            channels: C of an example.
            axis: axis of the location's channels.
        """
        each = widen(location).movedim(axis, -1).unflatten(-1, (self.components, -1))
        logits, means, log_scales, free = each.split([1, channels, channels, channels * (channels - 1) // 2], dim=-1)
        dependence = means.new_zeros(*means.shape, channels)
        row, column = torch.tril_indices(channels, channels, offset=-1)
        dependence[..., row, column] = free.tanh()
        return logits[..., 0], means, log_scales.clamp(min=LEAST_LOG_SCALE), dependence
