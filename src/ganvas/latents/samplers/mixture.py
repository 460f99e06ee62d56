r"""A Gaussian mixture fitted to codes: each component has a mean and a full covariance.

.. math:: \hat q(z) = \sum_{k=1}^{K} \pi_k \, N(z; \mu_k, \Sigma_k).

The likelihood is raised by expectation-maximisation (scikit-learn) in double precision, from the clusters of k-means.
With one component the fit is exact: the mean and the covariance of the codes.

Reference: Ghosh et al. 2020, section 4 (10 components), https://arxiv.org/abs/1903.12436.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from ganvas.latents.samplers.base import LatentSampler, check_numbers


@final
@dataclass(frozen=True, eq=False)
class FittedMixture:
    """Mixture of normals.

    Args:
        weights: shares of the components, positive, of sum 1.
        means: means of the components.
        factors: lower Cholesky factors of the covariances.
    """

    weights: Float[Tensor, " k"]
    means: Float[Tensor, "k d"]
    factors: Float[Tensor, "k d d"]

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        weights, means, factors = (t.to(device) for t in (self.weights, self.means, self.factors))
        component = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, means.shape[1], device=device, generator=generator, dtype=torch.float32)
        return means[component] + torch.einsum("nij,nj->ni", factors[component], noise)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        parts = MultivariateNormal(self.means.to(z), scale_tril=self.factors.to(z), validate_args=False)
        return torch.logsumexp(parts.log_prob(z[..., None, :]) + self.weights.to(z).log(), dim=-1)


@final
@dataclass(frozen=True)
class MixtureSampler(LatentSampler):
    """Fits a mixture of normals with full covariances; one component is a single normal.

    Args:
        images: see the base class; at least ``components``.
        seed: see the base class.
        components: :math:`K`, at least 1.
        iterations: most iterations of expectation-maximisation, at least 1.
        floor: added to each variance, positive, so that no component shrinks to a point.

    Raises:
        ValueError: an argument out of range.
    """

    revision: ClassVar[int] = 1

    components: int
    iterations: int
    floor: float

    def __post_init__(self) -> None:
        check_numbers(self, ("components", "iterations"), ("floor",))
        if self.images < self.components:
            raise ValueError(
                f"sampler.components={self.components}: expected at most sampler.images={self.images}, since each "
                "component begins with a code; write sampler.components=10"
            )

    @property
    def name(self) -> str:
        """See :attr:`LatentSampler.name`."""
        return "gmm" if self.components > 1 else "normal"

    def fit(self, codes: Float[Tensor, "n d"]) -> FittedMixture:
        """Fit the mixture; fewer codes than components make fewer components.

        Args:
            codes: one of each training image.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        model = GaussianMixture(
            min(self.components, len(codes)),
            covariance_type="full",
            max_iter=self.iterations,
            reg_covar=self.floor,
            random_state=self.seed,
        )
        with warnings.catch_warnings():  # a mixture that is not quite at its maximum is a distribution all the same
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(codes.double().numpy())
        factors = np.linalg.cholesky(model.covariances_)
        return FittedMixture(*(torch.from_numpy(a).float() for a in (model.weights_, model.means_, factors)))
