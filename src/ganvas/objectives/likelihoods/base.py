r"""What a decoder's output says about an example: :math:`\log p(x \mid z)` in nats.

.. math:: \log p(x \mid z) = \sum_j \log p(x_j \mid \ell_j, s), \qquad \ell = \text{decoder}(z),

summed over all coordinates :math:`j` of an example, so that an ELBO is an ELBO. Data are in [-1, 1] always; each
likelihood says how it reads them. Families with a scale :math:`s` take it fixed, or learned, one for each channel.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import widen


@dataclass(frozen=True)
class Likelihood(ABC):
    """Abstract: a family of distributions over one example, located by the decoder."""

    initial_log_scale: ClassVar[float] = 0.0
    """Where a learned scale starts: one, half the range of the data."""

    @property
    @abstractmethod
    def learned_scale(self) -> bool:
        """Whether the model must own a parameter ``log_scale``, one number for each channel (or coordinate)."""

    @abstractmethod
    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        """Log-likelihood of each example, summed over its coordinates.

        Args:
            x: examples in [-1, 1], shape ``(n, *shape)``.
            location: the decoder's output, shape ``(n, *shape)`` or, for k draws of z each, ``(k, n, *shape)``.
            log_scale: one number for each channel, in any shape, where ``learned_scale``; else None.

        Returns:
            Nats, shape ``(n,)`` or ``(k, n)``, of at least ``float32``.

        Raises:
            ValueError: if ``log_scale`` is missing, or comes although the scale is not learned.
        """

    @abstractmethod
    def mean(self, location: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return what is shown as the decoded example, on the scale of the data.

        Args:
            location: the decoder's output, any shape.

        Returns:
            The same shape.
        """


def sum_coordinates(log_prob: Tensor, x: Float[Tensor, " n *shape"]) -> Tensor:
    """Sum over the coordinates of an example, keeping the batch and any leading dimension.

    Args:
        log_prob: one number for each coordinate, shape ``(..., n, *shape)``.
        x: the examples, for their shape.

    Returns:
        Shape ``(..., n)``.
    """
    return log_prob.flatten(start_dim=1 - x.ndim).sum(dim=-1)


def resolve_log_scale(
    fixed: float | None, learned: Float[Tensor, " *c"] | None, x: Float[Tensor, " n *shape"]
) -> Tensor:
    """The one log scale in force, in a shape that broadcasts over examples.

    Args:
        fixed: the scale the config states, or None where it is learned.
        learned: the model's parameter, or None where the scale is fixed.
        x: the examples, for their shape.

    Returns:
        Shape ``(c, 1, 1)`` for images, ``(d,)`` for points, ``()`` where the scale is fixed.

    Raises:
        ValueError: if both or neither are given: one of them would be ignored.
    """
    if fixed is not None and learned is None:
        return torch.tensor(math.log(fixed), dtype=torch.promote_types(x.dtype, torch.float32))
    if learned is not None and fixed is None:
        return widen(learned).reshape(-1, *[1] * (x.ndim - 2))
    raise ValueError(
        f"log_scale: got {learned if learned is None else tuple(learned.shape)!r} with a fixed scale of {fixed!r}, "
        "expected exactly one of the two. Pass the model's parameter if likelihood.learned_scale, else None."
    )
