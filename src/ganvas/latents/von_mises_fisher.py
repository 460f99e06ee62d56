r"""The von Mises-Fisher posterior: a distribution on the sphere around a mean direction.

.. math:: q(z) = C_m(\kappa) \, e^{\kappa \mu^T z}, \qquad z \in S^{m-1}, \qquad
    C_m(\kappa) = \frac{\kappa^{m/2 - 1}}{(2 \pi)^{m/2} I_{m/2 - 1}(\kappa)}.

With :math:`A(\kappa) = I_{m/2}(\kappa) / I_{m/2-1}(\kappa)`, its mean, its covariance and its divergence from the
uniform distribution are

.. math:: A \mu, \qquad \tfrac{A}{\kappa} I + \big( 1 - \tfrac{m A}{\kappa} - A^2 \big) \mu \mu^T, \qquad
    \mathrm{KL} = \kappa A + \log C_m(\kappa) + \log \frac{2 \pi^{m/2}}{\Gamma(m/2)}.

A draw is :math:`z = \cos\theta \, \mu + \sin\theta \, v`. The tangent :math:`v` is uniform, and the angle comes from
Wood's rejection sampling. The accepted angle is differentiated implicitly: with its density :math:`g(\theta) \propto
e^{\kappa \cos \theta} \sin^{m-2} \theta` and its distribution function :math:`G`,

.. math:: \frac{d\theta}{d\kappa} = - \frac{\partial G / \partial \kappa}{g(\theta)}
    = - \int_0^\theta (\cos t - A) \frac{g(t)}{g(\theta)} dt,

by quadrature. Gradients of expectations are then exact. The paper differentiates the accepted proposal instead, which
needs a correction term that contains the loss.

References: Davidson et al. 2018, section 3 and algorithms 1 and 2, https://arxiv.org/abs/1804.00891; Wood 1994,
https://doi.org/10.1080/03610919408813161; Figurnov et al. 2018, equation 6, https://arxiv.org/abs/1805.08498.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import lgamma, log, pi
from typing import Any, ClassVar, Final, final

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import normalize, softplus

from ganvas.latents.bessel import log_bessel_and_ratio

NODES: Final = 48
WIDTH: Final = 12.0
"""Length of the interval of quadrature, in units of the angle's scale; the density is negligible beyond."""


def log_area(m: int) -> float:
    """Compute the logarithm of the area of the unit sphere in m dimensions, at least 1."""
    return log(2) + 0.5 * m * log(pi) - lgamma(0.5 * m)


@final
class VonMisesFisherPosterior:
    r"""Posteriors of n examples on the unit sphere.

    Args:
        direction: :math:`\mu`, unit vectors.
        concentration: :math:`\kappa`, positive.
        dtype: type of draws, densities and moments; they are computed in float64.
    """

    def __init__(
        self, direction: Float64[Tensor, "n m"], concentration: Float64[Tensor, " n"], dtype: torch.dtype
    ) -> None:
        self.direction, self.concentration, self.dtype = direction, concentration, dtype

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*k n m"]:
        """Draw unit vectors through which gradients flow.

        Args:
            sample_shape: number of draws for each example.
        """
        shape = (*sample_shape, *self.concentration.shape)
        kappa, m = self.concentration.expand(shape), self.direction.shape[-1]
        angle = _Angle.apply(_drawn_angle(kappa.detach(), m), kappa, self._bessel[1].detach().expand(shape), m)
        noise = torch.randn(*shape, m, dtype=kappa.dtype, device=kappa.device)
        tangent = normalize(noise - (noise * self.direction).sum(-1, keepdim=True) * self.direction, dim=-1)
        return (angle.cos()[..., None] * self.direction + angle.sin()[..., None] * tangent).to(self.dtype)

    def log_prob(self, value: Float[Tensor, "*k n m"]) -> Float[Tensor, "*k n"]:
        """Compute the log density with respect to the area of the sphere, nats.

        Args:
            value: unit vectors, with any leading dimensions.
        """
        # Written with the scaled Bessel function: both terms stay small however large the concentration is.
        closeness = (self.direction * value.double()).sum(-1) - 1
        return (self.concentration * closeness + self._log_constant).to(self.dtype)

    @property
    def mean(self) -> Float[Tensor, "n m"]:
        """Mean, inside the sphere."""
        return (self._bessel[1][..., None] * self.direction).to(self.dtype)

    @property
    def stddev(self) -> Float[Tensor, "n m"]:
        """Standard deviation of each coordinate."""
        ratio, m = self._bessel[1], self.direction.shape[-1]
        across = ratio / self.concentration
        along = 1 - m * across - ratio.square()
        return (across[..., None] + along[..., None] * self.direction.square()).clamp(min=0).sqrt().to(self.dtype)

    def kl_from_uniform(self) -> Float[Tensor, "n 1"]:
        """Compute the divergence from the uniform distribution on the sphere, nats."""
        kl = self.concentration * (self._bessel[1] - 1) + self._log_constant + log_area(self.direction.shape[-1])
        return kl.to(self.dtype)[:, None]

    def detached(self) -> VonMisesFisherPosterior:
        """Return the posterior with its parameters held constant, see :class:`ganvas.types.Detaches`."""
        return VonMisesFisherPosterior(self.direction.detach(), self.concentration.detach(), self.dtype)

    @cached_property
    def _bessel(self) -> tuple[Tensor, Tensor]:
        return log_bessel_and_ratio(0.5 * self.direction.shape[-1] - 1, self.concentration)

    @property
    def _log_constant(self) -> Tensor:
        r"""Logarithm of :math:`C_m(\kappa) e^\kappa`."""
        m = self.direction.shape[-1]
        return (0.5 * m - 1) * self.concentration.log() - 0.5 * m * log(2 * pi) - self._bessel[0]


def _drawn_angle(concentration: Tensor, m: int) -> Tensor:
    """Draw angles from the mean direction by Wood's rejection sampling; those that are refused are drawn again."""
    angle, left = torch.empty_like(concentration).flatten(), torch.arange(concentration.numel())
    n, left = m - 1, left.to(concentration.device)
    proposals = torch.distributions.Beta(concentration.new_tensor(0.5 * n), concentration.new_tensor(0.5 * n))
    while len(left):
        kappa = concentration.flatten()[left]
        root = (4 * kappa.square() + n**2).sqrt()
        a, b = (n + 2 * kappa + root) / 4, n / (2 * kappa + root)
        e = proposals.sample(left.shape).clamp(min=torch.finfo(kappa.dtype).tiny)
        t = 2 * a * b / (1 - (1 - b) * e)
        angle[left] = 2 * (b * e / (1 - (1 - b) * e)).clamp(max=1).sqrt().asin()  # 1 - cos = 2 sin^2 of half the angle
        accepted = n * t.log() - t + 4 * a * b / (1 + b) - n * log(n) >= torch.rand_like(kappa).log()
        left = left[~accepted]
    return angle.view_as(concentration)


class _Angle(torch.autograd.Function):
    """Attach to a drawn angle its implicit derivative by the concentration."""

    @staticmethod
    def forward(ctx: Any, angle: Tensor, kappa: Tensor, ratio: Tensor, m: int) -> Tensor:
        ctx.save_for_backward(angle, kappa, ratio)
        ctx.m = m
        return angle.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, None]:
        angle, kappa, ratio = ctx.saved_tensors
        return None, gradient * angle_by_concentration(angle, kappa, ratio, ctx.m), None, None


def angle_by_concentration(
    angle: Float64[Tensor, " *k"], kappa: Float64[Tensor, " *k"], ratio: Float64[Tensor, " *k"], m: int
) -> Float64[Tensor, " *k"]:
    r"""Compute :math:`d\theta / d\kappa`, with the integral on the side where the integrand keeps its sign.

    Args:
        angle: :math:`\theta` in (0, pi).
        kappa: :math:`\kappa`, positive.
        ratio: :math:`A(\kappa)`.
        m: number of coordinates, at least 2.
    """
    x, weights = (torch.as_tensor(part, dtype=kappa.dtype, device=kappa.device) for part in _legendre())
    reach = WIDTH / (kappa + m).sqrt()
    far = torch.where(angle.cos() > ratio, (angle - reach).clamp(min=0), (angle + reach).clamp(max=pi))
    half = (far - angle) / 2
    t = angle[..., None] + half[..., None] * (x + 1)
    log_density = kappa[..., None] * t.cos() + (m - 2) * t.sin().log()
    at_angle = kappa * angle.cos() + (m - 2) * angle.sin().log()
    integrand = (t.cos() - ratio[..., None]).abs() * (log_density - at_angle[..., None]).exp()
    return -half.abs() * (integrand @ weights)


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


@final
@dataclass(frozen=True)
class VonMisesFisher:
    r"""Family of von Mises-Fisher distributions, :math:`\kappa = \log(1 + e^a) + \kappa_0` of an output a.

    Args:
        least: :math:`\kappa_0`, positive; 1 in the authors' code, against collapse to the uniform distribution.

    Raises:
        ValueError: ``least`` is not positive.
    """

    least: float
    space: ClassVar[str] = "sphere"

    def __post_init__(self) -> None:
        if not self.least > 0:
            raise ValueError(f"least: got {self.least}, expected a positive concentration; write posterior.least=1")

    def outputs(self, dim: int) -> int:
        """Return the number of parameters: a direction and a concentration.

        Args:
            dim: number of coordinates, at least 2.

        Raises:
            ValueError: one coordinate, whose sphere is two points.
        """
        if dim < 2:
            raise ValueError(f"latent_dim: got {dim}, expected at least 2 for a sphere; write prior.dim=3")
        return dim + 1

    def __call__(self, parameters: Float[Tensor, "n p"]) -> VonMisesFisherPosterior:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer, unbounded. Half precision becomes float32.
        """
        wide = parameters.double()
        direction, concentration = normalize(wide[:, :-1], dim=-1), softplus(wide[:, -1]) + self.least
        return VonMisesFisherPosterior(direction, concentration, torch.promote_types(parameters.dtype, torch.float32))
