r"""Kernels between latents, and the squared maximum mean discrepancy of two sets of latents.

.. math:: \mathrm{MMD}^2(Q, P) = \mathbb{E}\, k(z, z') + \mathbb{E}\, k(y, y') - 2\, \mathbb{E}\, k(z, y),
    \qquad z, z' \sim Q, \quad y, y' \sim P.

The scale of a kernel is relative to :math:`2 d`, the mean squared distance of two draws of :math:`N(0, I_d)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import widen


@dataclass(frozen=True)
class Kernel(ABC):
    """Abstract: a positive definite function of the distance of two latents."""

    @abstractmethod
    def of_squares(self, squares: Float[Tensor, "n m"], dim: int) -> Float[Tensor, "n m"]:
        """Compute the kernel from squared distances.

        Args:
            squares: squared distances.
            dim: number of latent coordinates d.
        """

    def __call__(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Compute the kernel of each pair.

        Args:
            a: first latents, rows of the result.
            b: second latents, columns.
        """
        # Differences, not |a|^2 + |b|^2 - 2ab: close latents would lose their digits.
        return self.of_squares((a[:, None] - b[None]).square().sum(-1), a.shape[1])


@final
@dataclass(frozen=True)
class InverseMultiquadratic(Kernel):
    r"""Sum of inverse multiquadratic kernels, :math:`\sum_s C_s / (C_s + \|a - b\|^2)` with :math:`C_s = 2 d s`.

    Its tails fall slowly, so that latents far from the prior still have a gradient.

    Reference: Tolstikhin et al. 2018, section 4, https://arxiv.org/abs/1711.01558

    Args:
        scales: s, positive numbers; one of 1 is the paper's, several are those of the authors' program.

    Raises:
        ValueError: no scale, or one that is not positive.
    """

    scales: Sequence[float]

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales: got {self.scales}, expected positive numbers; write [1.0]")

    def of_squares(self, squares: Float[Tensor, "n m"], dim: int) -> Float[Tensor, "n m"]:
        """See :meth:`Kernel.of_squares`."""
        return torch.stack([1 / (1 + squares / (2 * dim * scale)) for scale in self.scales]).sum(0)


@final
@dataclass(frozen=True)
class GaussianKernel(Kernel):
    r"""Gaussian kernel, :math:`\exp(-\|a - b\|^2 / (2 d s))`.

    Reference: Zhao et al. 2017, section 3, https://arxiv.org/abs/1706.02262

    Args:
        scale: s, positive.

    Raises:
        ValueError: ``scale`` is not positive.
    """

    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale: got {self.scale}, expected a positive number; write 1.0")

    def of_squares(self, squares: Float[Tensor, "n m"], dim: int) -> Float[Tensor, "n m"]:
        """See :meth:`Kernel.of_squares`."""
        return torch.exp(-squares / (2 * dim * self.scale))


def mmd(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], kernel: Kernel) -> Float[Tensor, ""]:
    """Estimate the squared discrepancy without bias; the estimate of a small one may be negative.

    Reference: Gretton et al. 2012, eq. 3, https://jmlr.org/papers/v13/gretton12a.html

    Args:
        a: draws of one distribution.
        b: draws of the other.
        kernel: k.
    """
    a, b = widen(a), widen(b)
    return _mean_of_pairs(kernel(a, a)) + _mean_of_pairs(kernel(b, b)) - 2 * kernel(a, b).mean()


def _mean_of_pairs(values: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Average over the pairs of two different latents; 0 without such a pair."""
    n = len(values)
    return (values.sum() - values.diagonal().sum()) / max(n * (n - 1), 1)
