r"""The VampPrior: a mixture of the posteriors of learned images, the pseudo-inputs.

.. math:: p(z) = \frac{1}{K} \sum_{k=1}^{K} q(z \mid u_k).

The pseudo-inputs :math:`u_k` are trained with the VAE, and the mixture moves with its encoder. It stands for the mean
of the posteriors of all training images, which is the best prior of a given encoder. The authors clip the pixels of
:math:`u_k` to their range. Here they are a tanh, so that no pixel is without a gradient.

The divergence has no closed form, so the bound estimates it from the draws.

Reference: Tomczak & Welling 2018, equation 9, https://arxiv.org/abs/1705.07120.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.latents.posteriors import moments
from ganvas.latents.priors import check_dim
from ganvas.types import Posterior

EDGE: Final = 0.99
"""Largest size of a pixel at the start, since the inverse of tanh has no limit at 1."""
SEEDS: Final = 2**62


@final
class AggregatePosterior:
    """Mixture of equal parts of the posteriors of some images.

    Args:
        posterior: posterior of each of the K images.
    """

    space: ClassVar[str] = "reals"

    def __init__(self, posterior: Posterior) -> None:
        self.posterior = posterior
        self.dim = posterior.mean.shape[-1]

    @torch.no_grad()
    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents; the noise is drawn on the device of the posteriors, so that devices may differ.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        count = len(self.posterior.mean)
        component = torch.randint(count, (n,), device=device, generator=generator)
        seed = int(torch.randint(SEEDS, (), device=device, generator=generator))
        turn = _turns(component, count)
        with torch.random.fork_rng():  # a posterior draws with the global generator
            torch.manual_seed(seed)
            z = self.posterior.rsample((int(turn.max()) + 1,))
        return z[turn.to(z.device), component.to(z.device)].to(device)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        count = len(self.posterior.mean)
        each = self.posterior.log_prob(z[..., None, :].expand(*z.shape[:-1], count, -1))
        return torch.logsumexp(each, dim=-1) - each.new_full((), count).log()

    def kl(self, posterior: Posterior) -> None:
        """Return None, because no closed form is known."""

    @property
    @torch.no_grad()
    def reach(self) -> float:
        """Largest distance of a mean from 0 by coordinate, plus three standard deviations."""
        mean, scale = moments(self.posterior)
        return float((mean.abs() + 3 * scale).max())

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate on the straight line.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        return torch.lerp(a, b, t[:, None])


def _turns(component: Int64[Tensor, " n"], count: int) -> Int64[Tensor, " n"]:
    """Number the draws of each component, from 0 in the order in which they stand."""
    order, sizes = component.argsort(stable=True), component.bincount(minlength=count)
    first = sizes.cumsum(0) - sizes
    turn = torch.empty_like(component)
    turn[order] = torch.arange(len(component), device=component.device) - first[component[order]]
    return turn


@final
class VampPrior(nn.Module):
    """Learned pseudo-inputs; :meth:`given` makes the prior of them and an encoder.

    Args:
        dim: dimension of the latent, at least 1.
        shape: shape of one example.
        components: :math:`K`, at least 1.
        start: mean of a pixel at the start, in (-1, 1); of a coordinate of points, in their unit.
        spread: standard deviation of a pixel at the start, at least 0.

    Raises:
        ValueError: an argument out of range.
    """

    space: ClassVar[str] = "reals"

    def __init__(self, dim: int, shape: Sequence[int], components: int, start: float, spread: float) -> None:
        super().__init__()
        check_dim(dim)
        if components < 1 or spread < 0:
            raise ValueError(
                f"prior: got components={components}, spread={spread}; expected at least 1, and at least 0. Fix: set "
                "prior.components, prior.spread."
            )
        self.dim = dim
        self.bounded = len(shape) > 1
        values = start + spread * torch.randn(components, *shape)
        self.inputs = nn.Parameter(values.clamp(-EDGE, EDGE).atanh() if self.bounded else values)

    @property
    def images(self) -> Float[Tensor, "k ..."]:
        """The pseudo-inputs: images in [-1, 1], or points."""
        return self.inputs.tanh() if self.bounded else self.inputs

    def given(self, encode: Callable[[Float[Tensor, "n ..."]], Posterior]) -> AggregatePosterior:
        """Return the prior that an encoder makes of the pseudo-inputs.

        Args:
            encode: maps examples to posteriors.
        """
        return AggregatePosterior(encode(self.images))
