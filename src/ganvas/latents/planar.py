r"""The planar flow: each map moves latents along one direction, by an amount that depends on one projection of them.

.. math:: f(z) = z + \hat u \tanh(w^T z + b), \qquad
    \det \frac{\partial f}{\partial z} = 1 + (w^T \hat u) \, (1 - \tanh^2(w^T z + b)).

It is invertible if :math:`w^T \hat u > -1`, which is achieved by changing :math:`u` along :math:`w`:

.. math:: \hat u = u + \big( m(w^T u) - w^T u \big) \frac{w}{\|w\|^2}, \qquad
    m(a) = \log \big( 1 + (e - 1) e^a \big) - 1.

The paper has :math:`m(a) = \log(1 + e^a) - 1`, which is -0.31 at 0, so that :math:`\hat u` grows without limit as
:math:`w \to 0`; the shifted one is 0 there. All parameters are amortised: outputs of the encoder for each example.

The inverse is one equation in one unknown, :math:`a = w^T z`, solved by bisection: :math:`a + (w^T \hat u)
\tanh(a + b) = w^T f(z)`. A last step of Newton's method makes the root differentiable.

Reference: Rezende & Mohamed 2015, equations 10 to 12 and appendix A.1, https://arxiv.org/abs/1505.05770.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, log
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.latents.flow import FlowPosterior, Mapped, Step
from ganvas.latents.posteriors import diagonal_normal
from ganvas.types import widen

BISECTIONS: Final = 60
"""Halvings of an interval; in float64 more change nothing."""


@final
@dataclass(frozen=True, eq=False)
class PlanarStep(Step):
    r"""One map, with parameters of each example.

    Args:
        u: direction, before it is changed to :math:`\hat u`, ``(n, d)``.
        w: weights of the projection, ``(n, d)``.
        b: offset of the projection, ``(n,)``.
    """

    u: Float[Tensor, "n d"]
    w: Float[Tensor, "n d"]
    b: Float[Tensor, " n"]

    def forward(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Move latents along the direction."""
        direction, strength = self._direction()
        height = ((self.w * z).sum(-1) + self.b).tanh()
        return z + direction * height[..., None], _log_det(height, strength)

    def inverse(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Move latents back."""
        direction, strength = self._direction()
        projection = _root((self.w * z).sum(-1), strength, self.b)
        height = (projection + self.b).tanh()
        return z - direction * height[..., None], _log_det(height, strength)

    def detached(self) -> PlanarStep:
        """Return the same map with its parameters held constant."""
        return PlanarStep(self.u.detach(), self.w.detach(), self.b.detach())

    def _direction(self) -> tuple[Tensor, Tensor]:
        """Compute the direction that is invertible, and 1 plus its product with w, which is positive."""
        product = (self.w * self.u).sum(-1)
        strength = softplus(product + log(e - 1))
        length = self.w.square().sum(-1).clamp(min=torch.finfo(self.w.dtype).tiny)
        return self.u + ((strength - 1 - product) / length)[..., None] * self.w, strength


def _log_det(height: Tensor, strength: Tensor) -> Tensor:
    """Compute the log-determinant as that of a sum of positive numbers."""
    flat = height.square()
    return (flat + (1 - flat) * strength).log()


def _root(target: Tensor, strength: Tensor, b: Tensor) -> Tensor:
    """Solve ``a + (strength - 1) tanh(a + b) = target`` for a."""
    with torch.no_grad():
        goal, slope, offset = target.double(), strength.double() - 1, b.double()
        low, high = goal - slope.abs(), goal + slope.abs()
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = middle + slope * (middle + offset).tanh() > goal
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        found = ((low + high) / 2).to(target)
        height = (found + b).tanh()
        steepness = height.square() + (1 - height.square()) * strength
    return found - (found + (strength - 1) * (found + b).tanh() - target) / steepness


@final
@dataclass(frozen=True)
class PlanarFlow:
    """Family of diagonal normals behind planar maps, whose parameters are outputs of the encoder.

    Args:
        length: number of maps, at least 1.

    Raises:
        ValueError: there is no map.
    """

    length: int
    space: ClassVar[str] = "reals"

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length: got {self.length}, expected at least 1 map; write posterior.length=8")

    def outputs(self, dim: int) -> int:
        """Return the number of parameters: two of each latent for the normal, and 2 d + 1 of each map.

        Args:
            dim: dimension d of the latents.
        """
        return 2 * dim + self.length * (2 * dim + 1)

    def __call__(self, parameters: Float[Tensor, "n p"]) -> FlowPosterior:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer, unbounded. Half precision becomes float32.
        """
        parameters = widen(parameters)
        dim = (parameters.shape[-1] - self.length) // (2 + 2 * self.length)
        normal, *maps = parameters.split([2 * dim, *[2 * dim + 1] * self.length], dim=-1)
        steps = [PlanarStep(own[..., :dim], own[..., dim:-1], own[..., -1]) for own in maps]
        return FlowPosterior(diagonal_normal(normal), steps)
