r"""Regularised autoencoders: a deterministic encoder, latents near the origin, and a smooth decoder.

.. math:: L = -\log p(x \mid z) + \tfrac{\beta}{2} \|z\|^2 + \lambda\, R, \qquad z = \mu(x), \qquad
    R_{L2} = \|\theta\|_2^2, \qquad R_{GP} = \| \partial D_\theta(z) / \partial z \|_F^2.

:math:`\theta` are the decoder's parameters and :math:`D_\theta(z)` its output. The latents have no prior: to sample, a
density must be fitted to those of the training images.

Reference: Ghosh et al. 2020, section 3, https://arxiv.org/abs/1903.12436
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.autoencoding.base import Autoencoding, AutoencodingTerms
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require
from ganvas.types import widen


@dataclass(frozen=True)
class RAE(Autoencoding):
    r"""Abstract: reconstruction, latents near the origin, and a regulariser of the decoder.

    Args:
        samples: k, 1: the latent of an image is one point.
        latent_weight: :math:`\beta`, at least 0.
        decoder_weight: :math:`\lambda`, at least 0.

    Raises:
        ValueError: if ``samples`` is not 1, or a weight is below 0.
    """

    latent_weight: float
    decoder_weight: float
    regulariser: ClassVar[str]
    """Name of the regulariser's term."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("latent_weight", "decoder_weight"):
            value = getattr(self, name)
            require(value >= 0, name, value, "a number of at least 0", "Use 0 for none.")

    @property
    def deterministic(self) -> bool:
        """Whether the latents are the means of the posterior: always."""
        return True

    @abstractmethod
    def regularise(self, draws: Draws) -> Float[Tensor, ""]:
        """Compute the regulariser of the decoder, without its weight."""

    def __call__(self, draws: Draws) -> AutoencodingTerms:
        """Compute the terms."""
        reconstruction = draws.log_px_z.mean()
        squared = widen(draws.z).square().sum(-1).mean()
        regulariser = self.regularise(draws)
        total = self.latent_weight / 2 * squared + self.decoder_weight * regulariser - reconstruction
        return AutoencodingTerms(total, reconstruction, {"squared_latent": squared, self.regulariser: regulariser})


@final
@dataclass(frozen=True)
class RAEL2(RAE):
    r"""RAE with weight decay on the decoder alone, :math:`\|\theta\|_2^2`.

    Reference:
        Ghosh et al. 2020, section 3.1, https://arxiv.org/abs/1903.12436

    Args:
        samples: k, 1: the latent of an image is one point.
        latent_weight: :math:`\beta`, at least 0.
        decoder_weight: :math:`\lambda`, at least 0.
    """

    regulariser: ClassVar[str] = "squared_weights"

    def regularise(self, draws: Draws) -> Float[Tensor, ""]:
        """Sum the squares of the decoder's parameters."""
        return torch.stack([widen(parameter).square().sum() for parameter in draws.of_decoder().parameters()]).sum()


@final
@dataclass(frozen=True)
class RAEGradientPenalty(RAE):
    r"""RAE with a penalty on the decoder's Jacobian :math:`J`, :math:`\|J\|_F^2`, mean over the images.

    One random projection for each image estimates it without bias, :math:`\mathbb{E}\, \|J^\top v\|^2 = \|J\|_F^2` for
    :math:`v \sim N(0, I)`.

    Reference:
        Ghosh et al. 2020, section 3.1, https://arxiv.org/abs/1903.12436; projection: Hutchinson 1990

    Args:
        samples: k, 1: the latent of an image is one point.
        latent_weight: :math:`\beta`, at least 0.
        decoder_weight: :math:`\lambda`, at least 0.
    """

    regulariser: ClassVar[str] = "squared_jacobian"

    def regularise(self, draws: Draws) -> Float[Tensor, ""]:
        """Estimate the squared norm of the Jacobian at the latents; its graph reaches the decoder's parameters."""
        location = draws.of_location()
        projected = (location * torch.randn_like(location)).sum()
        (gradient,) = torch.autograd.grad(projected, draws.z, create_graph=True)
        return widen(gradient).square().sum(-1).mean()
