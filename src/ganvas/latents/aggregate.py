r"""The aggregate posterior, and how far its coordinates depend on each other, estimated from one batch.

.. math:: q(z) = \frac1N \sum_{n=1}^{N} q(z \mid x_n), \qquad
    \mathbb{E}_x \mathrm{KL}(q(z \mid x) \,\|\, p(z)) = \underbrace{I(z; x)}_{\text{mutual information}}
    + \underbrace{\mathrm{KL}\big(q(z) \,\|\, \textstyle\prod_j q(z_j)\big)}_{\text{total correlation}}
    + \underbrace{\textstyle\sum_j \mathrm{KL}(q(z_j) \,\|\, p(z_j))}_{\text{dimension-wise KL}}.

The sum over N training images is replaced by a weighted sum over the n images of the batch. For a draw :math:`z` of the
posterior of image :math:`i`,

.. math:: q(z) \approx \sum_{j=1}^{n} W_{ij}\, q(z \mid x_j).

Reference: Chen et al. 2018, eq. 2 and appendix C, https://arxiv.org/abs/1802.04942
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal


@dataclass(frozen=True)
class BatchWeights(ABC):
    """Abstract: the weights by which a batch stands for the whole training set."""

    @abstractmethod
    def __call__(self, n: int, n_train: int, device: torch.device | str = "cpu") -> Float[Tensor, "n n"]:
        """Compute :math:`W`, whose row i belongs to draws of the posterior of image i.

        Args:
            n: images in the batch, at least 1.
            n_train: N, images in the training set, at least n.
            device: device of the weights.
        """


@final
@dataclass(frozen=True)
class WeightedSampling(BatchWeights):
    r"""Minibatch weighted sampling, :math:`W_{ij} = 1 / (n N)`.

    It underestimates :math:`\log q(z)`, by :math:`\log n` where the posteriors do not overlap and by :math:`\log N`
    where they are all alike; the parts of the KL are off by as much, in a direction that depends on the part.

    Reference: Chen et al. 2018, appendix C.1
    """

    def __call__(self, n: int, n_train: int, device: torch.device | str = "cpu") -> Float[Tensor, "n n"]:
        """Compute the weights; all are equal."""
        return torch.full((n, n), 1.0 / (n * n_train), device=device)


@final
@dataclass(frozen=True)
class StratifiedSampling(BatchWeights):
    r"""Minibatch stratified sampling: the image of the draw, which is in the batch for certain, has its own weight.

    .. math:: W_{ii} = \frac1N, \qquad W_{i, i+1} = \frac{N - m}{N m}, \qquad W_{ij} = \frac1m \text{ otherwise},
        \qquad m = n - 1.

    The estimate of :math:`q(z)` is unbiased over batches that are drawn without replacement.

    Reference: Chen et al. 2018, appendix C.2; the weights of the authors' program are not on its diagonal
    """

    def __call__(self, n: int, n_train: int, device: torch.device | str = "cpu") -> Float[Tensor, "n n"]:
        """Compute the weights; every row sums to 1."""
        others = max(n - 1, 1)
        weights = torch.full((n, n), 1.0 / others, device=device)
        for neighbours in (weights.diagonal(1), weights[-1, :1]):
            neighbours.fill_((n_train - others) / (n_train * others))
        weights.diagonal().fill_(1.0 / n_train if n > 1 else 1.0)
        return weights


def aggregate_log_densities(
    z: Float[Tensor, "k n d"], posterior: Normal, weights: Float[Tensor, "n n"]
) -> tuple[Float[Tensor, "k n"], Float[Tensor, "k n"]]:
    r"""Estimate :math:`\log q(z)` and :math:`\log \prod_j q(z_j)` of each draw, nats.

    Args:
        z: draws of the posteriors of the batch.
        posterior: those posteriors, n rows of d normals.
        weights: :math:`W`.
    """
    # Row i, column j: the draw of image i under the posterior of image j.
    by_coordinate = posterior.log_prob(z[:, :, None, :])
    log_weights = weights.to(z).log()
    joint = torch.logsumexp(by_coordinate.sum(-1) + log_weights, dim=2)
    marginals = torch.logsumexp(by_coordinate + log_weights[..., None], dim=2)
    return joint, marginals.sum(-1)
