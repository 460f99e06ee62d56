r"""The base of likelihoods: :math:`\log p(x \mid z)` in nats, from the decoder's output.

.. math:: \log p(x \mid z) = \sum_j \log p(x_j \mid \ell_j, s), \qquad \ell = \text{decoder}(z),

The sum is over all coordinates :math:`j` of an example; a mean would change the balance with the KL in the ELBO. Data
are always in [-1, 1]; a likelihood on another range converts them. A scale :math:`s` is either fixed or learned, with
one value for each channel.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.validation import require
from ganvas.types import Shape, widen


@dataclass(frozen=True)
class Likelihood(ABC):
    """Abstract: a family of distributions over one example, with a location given by the decoder."""

    initial_log_scale: ClassVar[float] = 0.0
    """Start of a learned log scale; 0 is a scale of 1, half the range of the data."""
    space: ClassVar[str]
    """The space of the probabilities, as ``"density on [-1, 1]"``; bounds in different spaces are not comparable."""

    @property
    @abstractmethod
    def learned_scale(self) -> bool:
        """Whether the model must own a parameter ``log_scale``, one number for each channel (or coordinate)."""

    @abstractmethod
    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        """Compute the log-likelihood of each example, summed over its coordinates.

        Args:
            x: examples in [-1, 1], shape ``(n, *shape)``.
            location: the decoder's output, shape ``(n, *shape)``, or ``(k, n, *shape)`` for k draws of z; a likelihood
                that needs several numbers for a pixel says so, see :class:`ganvas.types.Locates`.
            log_scale: one number for each channel, in any shape; None unless ``learned_scale``.

        Returns:
            Nats, shape ``(n,)`` or ``(k, n)``, in at least ``float32``.

        Raises:
            ValueError: ``log_scale`` is None although the scale is learned, or given although it is not.
        """

    @abstractmethod
    def mean(self, location: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute the decoded example to show, on the [-1, 1] scale of the data.

        Args:
            location: the decoder's output for n latents.
        """


def sum_coordinates(log_prob: Tensor, x: Float[Tensor, " n *shape"]) -> Tensor:
    """Sum over the coordinates of each example.

    Args:
        log_prob: one number for each coordinate, shape ``(..., n, *shape)``.
        x: examples; only their shape is used.

    Returns:
        Shape ``(..., n)``.
    """
    return log_prob.flatten(start_dim=1 - x.ndim).sum(dim=-1)


def require_location(wanted: Shape, location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None) -> None:
    """Refuse what a likelihood cannot read whose decoder gives several numbers for a pixel, its scales among them.

    Args:
        wanted: shape of the decoder's output for one latent.
        location: the decoder's output.
        log_scale: None.

    Raises:
        ValueError: a log-scale is given, or the location has another shape.
    """
    require(log_scale is None, "log_scale", log_scale, "None", "The scales are outputs of the decoder: pass None.")
    got = tuple(location.shape[-len(wanted) :])
    fix = "Give the decoder likelihood: ${likelihood}, and in code the argument `likelihood`."
    require(got == wanted, "location", got, f"{wanted} for each example", fix)


def resolve_log_scale(
    fixed: float | None, learned: Float[Tensor, " *c"] | None, x: Float[Tensor, " n *shape"]
) -> Tensor:
    """Choose between the fixed and the learned log scale, and shape it to broadcast over examples.

    Args:
        fixed: the scale in the config; None if it is learned.
        learned: the model's parameter, a log scale; None if the scale is fixed.
        x: examples; only their shape and type are used.

    Returns:
        The log scale, shape ``(c, 1, 1)`` for images, ``(d,)`` for points, ``()`` if the scale is fixed.

    Raises:
        ValueError: both are given, or neither.
    """
    if fixed is not None and learned is None:
        return torch.tensor(math.log(fixed), dtype=torch.promote_types(x.dtype, torch.float32))
    if learned is not None and fixed is None:
        return widen(learned).reshape(-1, *[1] * (x.ndim - 2))
    raise ValueError(
        f"log_scale: got {learned if learned is None else tuple(learned.shape)!r} with a fixed scale of {fixed!r}, "
        "expected exactly one of the two. Pass the model's parameter if likelihood.learned_scale, else None."
    )
