r"""Draws of the latents of some images, with their log densities, and the base of the objectives that read them.

.. math:: z_i \sim q(z \mid x), \qquad \log p(x \mid z_i), \; \log p(z_i), \; \log q(z_i \mid x), \qquad i = 1 \dots k.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.latents.kl import estimated_kl
from ganvas.latents.posteriors import detached
from ganvas.objectives.bounds.importance import log_weights
from ganvas.objectives.terms import Terms
from ganvas.types import Posterior

T = TypeVar("T")


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Inputs of a VAE's objective: k draws of the latents for each of n images, with their log densities.

    Args:
        log_px_z: log-likelihood of the images given the draws, summed over pixels, nats.
        log_pz: log density of the draws under the prior, nats.
        log_qz_x: log density of the draws under the posterior, nats.
        kl: divergence of the posterior from the prior in closed form, nats, by coordinate, or in one column where only
            the sum is known; None if none is known.
        z: the draws, ``(k, n, d)``.
        posterior: the encoder's output, with ``rsample``, ``log_prob`` and ``mean``.
        n_train: number of training images, for bounds that estimate a quantity of the whole data set from a batch.
        location: the decoder's output for each draw; None if only densities are known.
        decoder: the network that made it; None if only densities are known.
        prior_z: as many draws of the prior as there are latents; None unless the objective ``compares_with_prior``.
        groups: numbers of latents of the groups of a hierarchy, the top group first; ``kl`` is then by coordinate, and
            of a group that no closed form serves an estimate. None where all latents are one group.
    """

    log_px_z: Float[Tensor, "k n"]
    log_pz: Float[Tensor, "k n"]
    log_qz_x: Float[Tensor, "k n"]
    kl: Float[Tensor, "n g"] | None
    z: Float[Tensor, "k n d"]
    posterior: Posterior
    n_train: int
    location: Float[Tensor, "k n *shape"] | None = None
    decoder: nn.Module | None = None
    prior_z: Float[Tensor, "m d"] | None = None
    groups: tuple[int, ...] | None = None

    @property
    def divergence(self) -> Float[Tensor, "n g"]:
        """Divergence of the posterior from the prior, nats.

        The closed form has a column for each coordinate, or one for all. Otherwise there is one column, an unbiased
        estimate from the draws for all coordinates together, which may be negative.
        """
        return self.kl if self.kl is not None else estimated_kl(self.log_qz_x, self.log_pz)

    @property
    def path_log_qz_x(self) -> Float[Tensor, "k n"]:
        r"""Log density :math:`\log q_{\bar\varphi}(z_i \mid x)` under the posterior with its parameters held constant.

        Its value is ``log_qz_x``, but its gradient goes through the draws :math:`z_i` alone.
        """
        return detached(self.posterior).log_prob(self.z)

    @property
    def log_w(self) -> Float[Tensor, "k n"]:
        r"""Log importance weights, :math:`\log p(x \mid z_i) + \log p(z_i) - \log q(z_i \mid x)`, nats."""
        return log_weights(self.log_px_z, self.log_pz, self.log_qz_x)

    def kl_by_group(self) -> dict[str, Tensor]:
        """Return the KL of each group of a hierarchy, nats, mean over images: ``kl_group_1`` is that of the top group.

        Nothing where all latents are one group. The values carry no gradient.
        """
        if self.groups is None:
            return {}
        parts = self.divergence.detach().mean(0).split(self.groups)
        return {f"kl_group_{number}": part.sum() for number, part in enumerate(parts, 1)}

    def of_prior(self) -> Float[Tensor, "m d"]:
        """Return the draws of the prior.

        Raises:
            ValueError: there are none.
        """
        return _given("prior_z", self.prior_z, "draws of the prior, as many as latents")

    def of_location(self) -> Float[Tensor, "k n *shape"]:
        """Return the decoder's output.

        Raises:
            ValueError: it is not known.
        """
        return _given("location", self.location, "the decoder's output for each draw")

    def of_decoder(self) -> nn.Module:
        """Return the decoder.

        Raises:
            ValueError: it is not known.
        """
        return _given("decoder", self.decoder, "the network that decodes the latents")


def _given(name: str, value: T | None, expected: str) -> T:
    if value is None:
        raise ValueError(
            f"{name}: got None, expected {expected}; this objective needs it, give it to Draws({name}=...)"
        )
    return value


@dataclass(frozen=True)
class FromDraws(ABC):
    """Abstract: an objective computed from k draws of the latents of each image.

    Args:
        samples: k, the number of draws for each image in training, at least 1.
    """

    samples: int
    bounds_evidence: ClassVar[bool]
    """Whether its terms hold a lower bound on the log evidence."""
    compares_with_prior: ClassVar[bool] = False
    """Whether it reads draws of the prior."""
    reads_posterior: ClassVar[bool] = False
    """Whether it reads the posterior itself, or parts the gradient of the draws from that of the networks: what asks
    for latents that are one group."""

    @property
    def deterministic(self) -> bool:
        """Whether the latents are the means of the posterior, in the place of draws."""
        return False

    @abstractmethod
    def __call__(self, draws: Draws) -> Terms:
        """Compute the terms of a batch of n images with k draws each, as means over the batch."""
