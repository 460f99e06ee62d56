r"""Posteriors by normalising flows: a diagonal normal that goes through invertible maps.

.. math:: z_0 \sim N(\mu(x), \mathrm{diag}\, \sigma^2(x)), \qquad z_t = f_t(z_{t-1}), \qquad
    \log q(z_T \mid x) = \log N(z_0) - \sum_{t=1}^{T} \log \Big| \det \frac{\partial f_t}{\partial z_{t-1}} \Big|.

The density of a draw follows from the way in which it was made. That of any other point needs the inverse maps, which
can be slow; each flow says how slow.

Reference: Rezende & Mohamed 2015, equation 7, https://arxiv.org/abs/1505.05770.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from ganvas.latents.posteriors import as_normal

MOMENT_DRAWS: Final = 128
"""Number of draws behind the mean and the standard deviation of a flow."""
MOMENT_SEED: Final = 0
Mapped = tuple[Float[Tensor, "*k d"], Float[Tensor, "*k"]]
"""Latents after a map, and the log-determinant of the forward map for each."""


class Step(ABC):
    """Abstract: an invertible map of the latents of n examples, with the parameters of each example."""

    @abstractmethod
    def forward(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Map latents; the log-determinant is that of this map."""

    @abstractmethod
    def inverse(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Map latents back; the log-determinant is that of :meth:`forward` at the latents that are returned."""

    @abstractmethod
    def detached(self) -> Step:
        """Return the same map, through which no gradient reaches its parameters."""


@final
class Inverted(Step):
    """A map turned around.

    Args:
        step: the map.
    """

    def __init__(self, step: Step) -> None:
        self.step = step

    def forward(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Apply the inverse of the map."""
        found, log_det = self.step.inverse(z)
        return found, -log_det

    def inverse(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Apply the map."""
        found, log_det = self.step.forward(z)
        return found, -log_det

    def detached(self) -> Inverted:
        """Return the same map with its parameters held constant."""
        return Inverted(self.step.detached())


@final
class FlowPosterior:
    r"""Posterior of n examples: a diagonal normal and the maps after it.

    Mean and standard deviation have no closed form. They are those of :data:`MOMENT_DRAWS` draws with noise from a
    generator of its own: the same for every example and every call, and the second half the negative of the first, so
    that the mean of an affine flow is exact.

    Args:
        base: distribution of :math:`z_0`.
        steps: :math:`f_1, \dots, f_T`.
    """

    def __init__(self, base: Independent, steps: Sequence[Step]) -> None:
        self.base = base
        self.steps = tuple(steps)
        self._latest: tuple[Tensor, Tensor] | None = None

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*k n d"]:
        """Draw latents through which gradients flow.

        Args:
            sample_shape: number of draws for each example.
        """
        start = self.base.rsample(torch.Size(sample_shape))
        z, log_det = self._pushed(start)
        self._latest = z, self.base.log_prob(start) - log_det
        return z

    def log_prob(self, value: Float[Tensor, "*k n d"]) -> Float[Tensor, "*k n"]:
        """Compute the log density, nats: that of the latest draws is known, that of others needs the inverse maps.

        Args:
            value: latents of the n examples, with any leading dimensions.
        """
        if self._latest is not None and value is self._latest[0]:
            return self._latest[1]
        total = value.new_zeros(())
        for step in reversed(self.steps):
            value, log_det = step.inverse(value)
            total = total + log_det
        return self.base.log_prob(value) - total

    def detached(self) -> FlowPosterior:
        """Return the posterior with its parameters held constant, see :class:`ganvas.types.Detaches`."""
        normal = as_normal(self.base)
        assert normal is not None
        base = Normal(normal.loc.detach(), normal.scale.detach(), validate_args=False)
        return FlowPosterior(Independent(base, 1, validate_args=False), [step.detached() for step in self.steps])

    @property
    def mean(self) -> Float[Tensor, "n d"]:
        """Mean of each example's latents, from a fixed number of draws."""
        return self._moments[0]

    @property
    def stddev(self) -> Float[Tensor, "n d"]:
        """Standard deviation of each example's latents, from the same draws."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        normal = as_normal(self.base)
        assert normal is not None
        generator = torch.Generator().manual_seed(MOMENT_SEED)
        half = torch.randn(MOMENT_DRAWS // 2, 1, normal.loc.shape[-1], generator=generator).to(normal.loc)
        z, _ = self._pushed(normal.loc + normal.scale * torch.cat([half, -half]))
        return z.mean(0), z.std(0)

    def _pushed(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(())
        for step in self.steps:
            z, log_det = step.forward(z)
            total = total + log_det
        return z, total
