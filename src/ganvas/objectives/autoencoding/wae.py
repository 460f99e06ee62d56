r"""Wasserstein autoencoders: the aggregate posterior matches the prior, each posterior need not.

.. math:: L = -\mathbb{E} \log p(x \mid z) + \lambda\, \mathcal{D}(q(z), p(z)), \qquad
    \mathcal{D} = \mathrm{MMD}^2 \text{ or } \mathrm{SW}_2^2.

With a Gaussian likelihood of scale 1 the first part is half the squared error, up to a constant. See
:mod:`ganvas.latents.kernels` and :mod:`ganvas.latents.sliced` for the two distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.latents.kernels import Kernel, mmd
from ganvas.latents.sliced import random_directions, sliced_wasserstein
from ganvas.objectives.autoencoding.base import Autoencoding, AutoencodingTerms
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


def _require_weight(weight: float) -> None:
    require(weight > 0, "weight", weight, "a positive number", "Use 10.")


@final
@dataclass(frozen=True)
class WAEMMD(Autoencoding):
    r"""WAE-MMD: the maximum mean discrepancy of the latents from the prior, with a weight :math:`\lambda`.

    Reference:
        Tolstikhin et al. 2018, eq. 4 and algorithm 2, https://arxiv.org/abs/1711.01558

    Args:
        samples: k, latents for each image, at least 1; 1 unless ``random_encoder``.
        weight: :math:`\lambda`, positive.
        kernel: kernel of the discrepancy.
        random_encoder: whether latents are drawn from the posterior; without it they are its means.

    Raises:
        ValueError: if ``samples`` is out of range, or ``weight`` is not positive.
    """

    weight: float
    kernel: Kernel
    random_encoder: bool
    compares_with_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_weight(self.weight)

    @property
    def deterministic(self) -> bool:
        """Whether the latents are the means of the posterior."""
        return not self.random_encoder

    def __call__(self, draws: Draws) -> AutoencodingTerms:
        """Compute the terms."""
        reconstruction = draws.log_px_z.mean()
        discrepancy = mmd(draws.z.flatten(0, 1), draws.of_prior(), self.kernel)
        return AutoencodingTerms(self.weight * discrepancy - reconstruction, reconstruction, {"mmd": discrepancy})


@final
@dataclass(frozen=True)
class SlicedWAE(Autoencoding):
    r"""Sliced Wasserstein autoencoder: the sliced distance of the latents from the prior, with a weight.

    The encoder is deterministic: the latents are the means of the posterior.

    Reference:
        Kolouri et al. 2018, section 3, https://arxiv.org/abs/1804.01947

    Args:
        samples: k, 1: the latent of an image is one point.
        weight: :math:`\lambda`, positive.
        directions: number of random directions in each step, at least 1.

    Raises:
        ValueError: if ``samples`` is not 1, ``directions`` is below 1, or ``weight`` is not positive.
    """

    weight: float
    directions: int
    compares_with_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_weight(self.weight)
        require(self.directions >= 1, "directions", self.directions, "an integer of at least 1", "Use 50.")

    @property
    def deterministic(self) -> bool:
        """Whether the latents are the means of the posterior: always."""
        return True

    def __call__(self, draws: Draws) -> AutoencodingTerms:
        """Compute the terms, with new random directions."""
        reconstruction, z = draws.log_px_z.mean(), draws.z.flatten(0, 1)
        distance = sliced_wasserstein(z, draws.of_prior(), random_directions(self.directions, z))
        total = self.weight * distance - reconstruction
        return AutoencodingTerms(total, reconstruction, {"sliced_wasserstein": distance})
