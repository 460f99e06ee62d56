r"""A flow as prior: latents are mapped to noise by coupling layers that are trained with the VAE.

.. math:: \log p(z) = \log N(f(z); 0, I) + \log \Big| \det \frac{\partial f}{\partial z} \Big|, \qquad
    f = f_T \circ \dots \circ f_1.

A coupling keeps one half of the coordinates, :math:`z_a`, and scales and shifts the other by functions of it:

.. math:: y_a = z_a, \qquad y_b = \big( z_b - t(z_a) \big) e^{-s(z_a)}, \qquad
    \log \Big| \det \frac{\partial y}{\partial z} \Big| = - \sum_j s_j(z_a), \qquad s = c \tanh(\tilde s).

The halves change places from layer to layer. Density and draws, :math:`f^{-1}(\epsilon)`, are exact and take one pass
of each network. At the start :math:`f` is the identity, so the prior is N(0, I).

References: Dinh et al. 2017 (RealNVP), equations 4 to 8, https://arxiv.org/abs/1605.08803; a flow as prior of a VAE:
Chen et al. 2017, section 3.2, https://arxiv.org/abs/1611.02731.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.latents.flow import Mapped
from ganvas.latents.priors import Normal
from ganvas.types import Posterior

REACH_DRAWS: Final = 1000
"""Number of draws that tell how far the latents reach."""


@final
class Coupling(nn.Module):
    """One layer: a network of the kept half gives log-scale and shift of the other.

    Args:
        dim: dimension d of the latents, at least 2.
        hidden: widths of the network's hidden layers.
        keeps_last: whether the kept half is the last one.
    """

    def __init__(self, dim: int, hidden: Sequence[int], keeps_last: bool) -> None:
        super().__init__()
        self.kept = dim // 2
        self.keeps_last = keeps_last
        widths = [self.kept, *hidden]
        layers = [m for pair in itertools.pairwise(widths) for m in (nn.Linear(*pair), nn.ELU())]
        last = nn.Linear(widths[-1], 2 * (dim - self.kept))
        self.body = nn.Sequential(*layers, last)
        self.limit = nn.Parameter(torch.ones(dim - self.kept))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Map latents towards noise."""
        kept, changed = self._halves(z)
        log_scale, shift = self._coefficients(kept)
        return self._joined(kept, (changed - shift) * (-log_scale).exp()), -log_scale.sum(-1)

    def inverse(self, y: Float[Tensor, "*k d"]) -> Mapped:
        """Map noise towards latents; the log-determinant is that of :meth:`forward`."""
        kept, changed = self._halves(y)
        log_scale, shift = self._coefficients(kept)
        return self._joined(kept, changed * log_scale.exp() + shift), -log_scale.sum(-1)

    def _coefficients(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(kept.device.type, enabled=False):
            log_scale, shift = self.body(kept).chunk(2, dim=-1)
            return self.limit * log_scale.tanh(), shift

    def _halves(self, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z.flip(-1) if self.keeps_last else z
        return z[..., : self.kept], z[..., self.kept :]

    def _joined(self, kept: Tensor, changed: Tensor) -> Tensor:
        z = torch.cat([kept, changed], dim=-1)
        return z.flip(-1) if self.keeps_last else z


@final
class FlowPrior(nn.Module):
    """Distribution whose image under learned couplings is N(0, I).

    Args:
        dim: dimension of the latent, at least 2.
        layers: number of couplings, at least 1.
        hidden: widths of the hidden layers of each coupling's network.

    Raises:
        ValueError: a number out of range.
    """

    space: ClassVar[str] = "reals"

    def __init__(self, dim: int, layers: int, hidden: Sequence[int]) -> None:
        super().__init__()
        if dim < 2 or layers < 1:
            raise ValueError(
                f"prior: got dim={dim}, layers={layers}; expected at least 2, as a coupling has two halves, and at "
                "least 1. Fix: set prior.dim, prior.layers."
            )
        self.dim = dim
        self.layers = nn.ModuleList(Coupling(dim, hidden, i % 2 == 1) for i in range(layers))

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        noise, log_det = self._noise(z)
        return Normal(self.dim).log_prob(noise) + log_det

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
        return self._latents(Normal(self.dim).sample(n, device=device, generator=generator))

    def kl(self, posterior: Posterior) -> None:
        """Return None, because no closed form is known."""

    @property
    def reach(self) -> float:
        """Largest distance of a coordinate's mean from 0, plus three standard deviations, from a fixed set of draws."""
        z = self.sample(REACH_DRAWS, generator=torch.Generator().manual_seed(0))
        return float((z.mean(0).abs() + 3 * z.std(0)).max())

    @torch.no_grad()
    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate the noise behind the ends as a normal prior does, so that every point has this distribution.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        noise = self._noise(torch.stack([a, b]).to(next(self.parameters())))[0].to(a)
        return self._latents(Normal(self.dim).between(noise[0], noise[1], t))

    def _noise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(z.shape[:-1])
        for layer in self.layers:
            z, log_det = layer(z)
            total = total + log_det
        return z, total

    def _latents(self, noise: Tensor) -> Tensor:
        """Map noise back on the device of the networks; the latents are of the type and on the device of the noise."""
        layers: list[Any] = list(self.layers)
        z = noise.to(layers[0].limit)
        for layer in reversed(layers):
            z, _ = layer.inverse(z)
        return z.to(noise)
