r"""Posteriors over categories: relaxed draws in training, categories themselves in evaluation.

A code has K categories with probabilities :math:`\pi_1, \dots, \pi_K`. The category

.. math:: c = \arg\max_k (\log \pi_k + g_k), \qquad g_k = -\log(-\log u_k), \quad u_k \sim U(0, 1),

has these probabilities (Gumbel-max), but no gradient. In training the draw is a point in the simplex,

.. math:: y_k = \frac{\exp((\log \pi_k + g_k) / \tau)}{\sum_j \exp((\log \pi_j + g_j) / \tau)},

which becomes the one-hot vector of :math:`c` as the temperature :math:`\tau` falls. Straight-through draws are that
vector forwards, with the gradient of :math:`y`. In evaluation draws are one-hot, so that a bound is one on the evidence
of the model with categories. The divergence from categories of equal probability is exact in both,

.. math:: \mathrm{KL} = \sum_k \pi_k \log \pi_k + \log K.

Coordinates that belong to no code are independent normals, as in JointVAE.

References: Jang et al. 2017, equations 1, 2 and section 2.2, https://arxiv.org/abs/1611.01144; Maddison et al. 2017,
equation 10, https://arxiv.org/abs/1611.00712; Dupont 2018, section 3, https://arxiv.org/abs/1804.00104.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn.functional import one_hot

from ganvas.latents.kl import normal_kl
from ganvas.latents.posteriors import diagonal_normal, moments
from ganvas.types import widen


@final
class GumbelPosterior:
    """Posterior of n examples: normal coordinates, then codes.

    Args:
        normal: distribution of the coordinates that belong to no code.
        log_probabilities: log probabilities of the categories of each code, ``(n, K)`` each.
        temperature: temperature of relaxed draws, above 0; None draws categories.
        straight_through: whether relaxed draws are one-hot forwards.
    """

    def __init__(
        self,
        normal: Independent,
        log_probabilities: Sequence[Float[Tensor, "n _"]],
        temperature: float | None,
        straight_through: bool,
    ) -> None:
        self.normal, self.log_probabilities = normal, tuple(log_probabilities)
        self.temperature, self.straight_through = temperature, straight_through

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*s n d"]:
        """Draw latents; gradients flow through normal coordinates, and through codes in training.

        Args:
            sample_shape: number of draws for each example.
        """
        shape = torch.Size(sample_shape)
        codes = (self._code(log_p, shape) for log_p in self.log_probabilities)
        return torch.cat([self.normal.rsample(shape), *codes], -1)

    def log_prob(self, value: Float[Tensor, "*s n d"]) -> Float[Tensor, "*s n"]:
        r"""Compute the log density of normal coordinates plus the log probability of codes, nats.

        At a relaxed draw the latter is :math:`\sum_k y_k \log \pi_k`, which is no density.

        Args:
            value: latents of the n examples, with any leading dimensions.
        """
        sizes = [log_p.shape[-1] for log_p in self.log_probabilities]
        numbers, *codes = value.split([value.shape[-1] - sum(sizes), *sizes], dim=-1)
        total = self.normal.log_prob(numbers)
        for code, log_p in zip(codes, self.log_probabilities, strict=True):
            total = total + (code * log_p).sum(-1)
        return total

    def detached(self) -> GumbelPosterior:
        """Return the posterior with its parameters held constant, see :class:`ganvas.types.Detaches`."""
        mean, deviation = (t.detach() for t in moments(self.normal))
        normal = Independent(Normal(mean, deviation, validate_args=False), 1, validate_args=False)
        held = [log_p.detach() for log_p in self.log_probabilities]
        return GumbelPosterior(normal, held, self.temperature, self.straight_through)

    def kl_by_part(self) -> Float[Tensor, "n g"]:
        """Compute the divergence from N(0, I) and codes of equal probabilities, nats: a column for each part.

        Returns:
            First the normal coordinates, then the codes.
        """
        codes = [(log_p.exp() * (log_p + _log(log_p.shape[-1], log_p))).sum(-1) for log_p in self.log_probabilities]
        return torch.cat([normal_kl(*moments(self.normal)), torch.stack(codes, dim=-1)], dim=-1)

    @property
    def mean(self) -> Float[Tensor, "n d"]:
        """Means of normal coordinates, probabilities of categories."""
        return torch.cat([moments(self.normal)[0], *(log_p.exp() for log_p in self.log_probabilities)], dim=-1)

    @property
    def stddev(self) -> Float[Tensor, "n d"]:
        """Standard deviation of each coordinate."""
        codes = [(p * (1 - p)).sqrt() for p in (log_p.exp() for log_p in self.log_probabilities)]
        return torch.cat([moments(self.normal)[1], *codes], dim=-1)

    def _code(self, log_p: Tensor, shape: torch.Size) -> Tensor:
        uniform = torch.rand(*shape, *log_p.shape, device=log_p.device, dtype=log_p.dtype)
        tiny = torch.finfo(log_p.dtype).tiny
        disturbed = log_p - (-uniform.clamp(min=tiny).log()).clamp(min=tiny).log()
        chosen = one_hot(disturbed.argmax(-1), log_p.shape[-1]).to(log_p)
        if self.temperature is None:
            return chosen
        relaxed = (disturbed / self.temperature).softmax(-1)
        return chosen + (relaxed - relaxed.detach()) if self.straight_through else relaxed


def _log(count: int, like: Tensor) -> Tensor:
    return like.new_full((), count).log()


@final
class Gumbel(nn.Module):
    """Family of these posteriors: relaxed in the mode of training, categories in the mode of evaluation.

    Args:
        categorical: number of categories of each code, at least 2 each, at least one code.
        temperature: temperature of relaxed draws, above 0; a schedule named ``temperature`` moves it.
        straight_through: whether draws in training are one-hot forwards.

    Raises:
        ValueError: an argument out of range.
    """

    space: ClassVar[str] = "codes"

    def __init__(self, categorical: Sequence[int], temperature: float, straight_through: bool) -> None:
        super().__init__()
        if not categorical or min(categorical) < 2 or not temperature > 0:
            raise ValueError(
                f"posterior: got categorical={list(categorical)}, temperature={temperature}; expected at least one "
                "code, at least 2 categories of each, and a temperature above 0. Fix: set prior.categorical, "
                "posterior.temperature."
            )
        self.categorical, self.temperature, self.straight_through = tuple(categorical), temperature, straight_through

    def outputs(self, dim: int) -> int:
        """Return the number of parameters: two for each normal coordinate, and one for each category.

        Args:
            dim: dimension of the latents.

        Raises:
            ValueError: fewer latents than categories.
        """
        categories = sum(self.categorical)
        if dim < categories:
            raise ValueError(
                f"posterior: {categories} categories, but {dim} latents; expected at least as many latents, one for "
                f"each category and the rest normal. Fix: write prior.dim={categories}."
            )
        return 2 * (dim - categories) + categories

    def forward(self, parameters: Float[Tensor, "n p"]) -> GumbelPosterior:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer: means, log-variances, and logits of each code.
        """
        parameters = widen(parameters)
        normal, *logits = parameters.split([parameters.shape[-1] - sum(self.categorical), *self.categorical], dim=-1)
        log_p = [each.log_softmax(-1) for each in logits]
        temperature = self.temperature if self.training else None
        return GumbelPosterior(diagonal_normal(normal), log_p, temperature, self.straight_through)
