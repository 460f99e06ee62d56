r"""The normal posterior with all covariances, given by a Cholesky factor.

.. math:: q(z \mid x) = N(z; \mu, L L^T), \qquad L_{ii} = \exp(s_i / 2), \qquad L_{ij} \text{ free for } i > j.

The encoder's last layer gives :math:`\mu`, :math:`s` and the free entries. If these are 0, it is the diagonal normal of
the same :math:`\mu` and :math:`s`. The divergence from N(0, I) is in :func:`ganvas.latents.kl.cholesky_kl`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from ganvas.types import widen


@final
@dataclass(frozen=True)
class FullNormal:
    """Family of normals with a full covariance matrix.

    Reference: Kingma & Welling 2019, section 2.5.1, https://arxiv.org/abs/1906.02691
    """

    space: ClassVar[str] = "reals"

    def outputs(self, dim: int) -> int:
        """Return the number of parameters: d means, d log-variances and d (d - 1) / 2 entries below the diagonal.

        Args:
            dim: dimension d of the latents.
        """
        return 2 * dim + dim * (dim - 1) // 2

    def __call__(self, parameters: Float[Tensor, "n p"]) -> MultivariateNormal:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer, unbounded. Half precision becomes float32.
        """
        parameters = widen(parameters)
        dim = (isqrt(9 + 8 * parameters.shape[-1]) - 3) // 2  # p = d (d + 3) / 2
        mean, log_variance, below = parameters.tensor_split([dim, 2 * dim], dim=-1)
        row, column = torch.tril_indices(dim, dim, offset=-1, device=parameters.device)
        factor = torch.diag_embed((0.5 * log_variance).exp())
        factor = factor.index_put((torch.arange(len(factor), device=row.device)[:, None], row, column), below)
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)
