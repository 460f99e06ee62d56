r"""Reconstruction alone: the objective of a plain autoencoder, and of one whose adversary shapes the latents.

.. math:: L = -\mathbb{E} \log p(x \mid z), \qquad z \sim q(z \mid x) \text{ or } z = \mu(x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.autoencoding.base import Autoencoding, AutoencodingTerms
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class Reconstruction(Autoencoding):
    r"""The log-likelihood of the images given their latents.

    Reference:
        Makhzani et al. 2015, section 2 (the reconstruction phase), https://arxiv.org/abs/1511.05644

    Args:
        samples: k, latents for each image, at least 1; 1 unless ``random_encoder``.
        random_encoder: whether latents are drawn from the posterior; without it they are its means.
    """

    random_encoder: bool

    @property
    def deterministic(self) -> bool:
        """Whether the latents are the means of the posterior."""
        return not self.random_encoder

    def __call__(self, draws: Draws) -> AutoencodingTerms:
        """Compute the terms."""
        reconstruction = draws.log_px_z.mean()
        return AutoencodingTerms(-reconstruction, reconstruction, {})
