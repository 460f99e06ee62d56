r"""Posteriors: the diagonal normal, which an encoder returns if the config names no other family, and its moments.

The encoder's last linear layer gives the parameters of a family. Those of the diagonal normal are the mean and the
log-variance :math:`s`:

.. math:: q(z \mid x) = \prod_j N(z_j; \mu_j(x), \sigma_j^2(x)), \qquad \sigma_j = \exp(s_j / 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from ganvas.types import Posterior


def diagonal_normal(parameters: Float[Tensor, "n two_d"]) -> Independent:
    r"""Make the normal from ``parameters``: the first half is the mean, the second half the log-variance.

    Reference: Kingma & Welling 2013, appendix C.2, https://arxiv.org/abs/1312.6114

    Args:
        parameters: :math:`(\mu, s)`, unbounded. Half precision becomes float32, since it is too coarse for a bound.

    Returns:
        Batch shape ``(n,)``, event shape ``(d,)``.
    """
    mean, log_variance = parameters.to(torch.promote_types(parameters.dtype, torch.float32)).chunk(2, dim=-1)
    # Validating the arguments would cost a device synchronisation at each step.
    return Independent(Normal(mean, (0.5 * log_variance).exp(), validate_args=False), 1, validate_args=False)


@final
@dataclass(frozen=True)
class DiagonalNormal:
    """Family of normals with independent coordinates, see :func:`diagonal_normal`."""

    space: ClassVar[str] = "reals"

    def outputs(self, dim: int) -> int:
        """Return the number of parameters of an example's posterior.

        Args:
            dim: dimension d of the latents.
        """
        return 2 * dim

    def __call__(self, parameters: Float[Tensor, "n p"]) -> Independent:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer, unbounded.
        """
        return diagonal_normal(parameters)


def as_normal(posterior: Posterior) -> Normal | None:
    """Return the normals of the coordinates; None if the posterior is not a diagonal normal."""
    inner = posterior.base_dist if isinstance(posterior, Independent) else posterior
    return inner if isinstance(inner, Normal) else None


def moments(posterior: Any) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Return the mean and the standard deviation of each coordinate.

    Args:
        posterior: a diagonal normal, or another distribution with ``mean`` and ``stddev``.
    """
    normal = as_normal(posterior)
    # Independent.stddev squares the scale and takes the root again, which adds a rounding error.
    return (posterior.mean, posterior.stddev) if normal is None else (normal.loc, normal.scale)
