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
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, Transform

from ganvas.types import Detaches, Posterior


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


def require_normal(posterior: Posterior, why: str) -> Normal:
    """Return the normals of the coordinates.

    Args:
        posterior: a diagonal normal.
        why: what needs one, for the message.

    Raises:
        ValueError: the posterior is not a diagonal normal.
    """
    normal = as_normal(posterior)
    if normal is None:
        raise ValueError(
            f"posterior: got {type(posterior).__name__}, expected a diagonal normal, because {why}; take an encoder "
            "that returns one, or another objective"
        )
    return normal


def detached(posterior: Posterior) -> Posterior:
    r"""Return the posterior with its parameters :math:`\varphi` held constant.

    The gradient of :math:`\log q_{\bar\varphi}(z)` at a draw :math:`z = z(\varphi)` goes through the draw alone.

    Args:
        posterior: from ``torch.distributions``, or one of your own with a method ``detached``.

    Raises:
        ValueError: a posterior without this method that is no distribution of torch, or has a network inside.
    """
    if isinstance(posterior, Detaches):
        return posterior.detached()
    if isinstance(posterior, Distribution):
        return _constant(posterior, {})
    raise _refusal(posterior)


def _constant(value: Any, known: dict[int, Any]) -> Any:
    """Copy a distribution, with its tensors and those of its parts detached; other values stay as they are.

    Args:
        value: a distribution, or a value inside one.
        known: copies by the identity of the original, because a transform and its inverse hold each other.
    """
    if isinstance(value, nn.Module):
        raise _refusal(value)
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, list | tuple):
        return type(value)(_constant(each, known) for each in value)
    if not isinstance(value, Distribution | Transform):
        return value
    if id(value) not in known:
        held = known[id(value)] = object.__new__(type(value))
        held.__dict__.update({name: _constant(inner, known) for name, inner in vars(value).items()})
    return known[id(value)]


def _refusal(value: Any) -> ValueError:
    return ValueError(
        f"posterior: got {type(value).__name__}, expected a distribution of torch without a network inside, or a "
        "posterior that can hold its parameters constant; give it a method detached(), see ganvas.types.Detaches"
    )
