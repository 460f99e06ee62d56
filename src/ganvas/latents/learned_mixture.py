r"""A learned Gaussian mixture as prior: weights, means and deviations are trained with the VAE.

.. math:: p(z) = \sum_{k=1}^{K} \pi_k \prod_j N(z_j; \mu_{kj}, \sigma_{kj}^2), \qquad \pi = \mathrm{softmax}(a).

The divergence of a posterior has no closed form, so the bound estimates it from its draws.
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from ganvas.latents.priors import check_dim
from ganvas.types import Posterior


@final
class LearnedMixture(nn.Module):
    r"""Mixture of normals with independent coordinates; it begins with equal weights and :math:`\sigma = 1`.

    Reference: Tomczak & Welling 2018, section 2 (a mixture as prior), https://arxiv.org/abs/1705.07120

    Args:
        dim: dimension of the latent, at least 1.
        components: :math:`K`, at least 1.
        spread: standard deviation of the means at the start, at least 0; equal components would stay equal.

    Raises:
        ValueError: an argument out of range.
    """

    space: ClassVar[str] = "reals"

    def __init__(self, dim: int, components: int, spread: float) -> None:
        super().__init__()
        check_dim(dim)
        if components < 1 or spread < 0:
            raise ValueError(
                f"prior: got components={components}, spread={spread}; expected at least 1, and at least 0. Fix: set "
                "prior.components, prior.spread."
            )
        self.dim = dim
        self.means = nn.Parameter(spread * torch.randn(components, dim))
        self.log_scales = nn.Parameter(torch.zeros(components, dim))
        self.logits = nn.Parameter(torch.zeros(components))

    @torch.no_grad()
    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        weights = self.logits.to(device).softmax(0)
        component = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, device=device, generator=generator, dtype=torch.float32)
        return self.means.to(device)[component] + self.log_scales.to(device)[component].exp() * noise

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        components = Independent(Normal(self.means, self.log_scales.exp(), validate_args=False), 1, validate_args=False)
        return torch.logsumexp(self.logits.log_softmax(0) + components.log_prob(z[..., None, :]), dim=-1)

    def kl(self, posterior: Posterior) -> None:
        """Return None, because no closed form is known."""

    @property
    @torch.no_grad()
    def reach(self) -> float:
        """Largest distance of a mean from 0 by coordinate, plus three standard deviations."""
        return float((self.means.abs() + 3 * self.log_scales.exp()).max())

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate on the straight line.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        return torch.lerp(a, b, t[:, None])
