r"""Doubly reparameterised gradients: the importance weighted bound with another estimate of the encoder's gradient.

The encoder's gradient of the bound of :mod:`ganvas.objectives.bounds.iwae` gets noisier, compared with its size, for
more draws. The score of the posterior that stands in it can be reparameterised once more, which gives

.. math::
    \nabla_\varphi\, \mathbb{E} \log \frac1k \sum_i w_i = \mathbb{E} \sum_{i=1}^{k} \tilde w_i^2\,
        \frac{\partial \log w_i}{\partial z_i} \frac{\partial z_i}{\partial \varphi}, \qquad
    \tilde w_i = \frac{w_i}{\sum_j w_j}.

The gradients of the decoder and of a learned prior are those of the bound,
:math:`\sum_i \tilde w_i\, \partial \log w_i / \partial \theta`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.bounds.importance import iwae_bound
from ganvas.objectives.bounds.surrogate import surrogate, without_value
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class DReG(Bound):
    r"""Importance weighted autoencoder whose encoder follows :math:`\sum_i \tilde w_i^2\, \partial \log w_i`.

    Reference:
        Tucker et al. 2019, eq. 8, https://arxiv.org/abs/1810.04152

    Args:
        samples: k, draws of the latents for each image, at least 1.

    Raises:
        ValueError: if ``samples`` is below 1.
    """

    reads_posterior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; ``total`` has the value of the negative bound."""
        log_w = draws.log_w.detach()
        shares = log_w.softmax(dim=0)
        ascent = surrogate(draws.log_px_z + draws.log_pz, draws.z, of_networks=shares, of_draws=shares.square())
        ascent = ascent - without_value((shares.square() * draws.path_log_qz_x).sum())
        bound = iwae_bound(log_w).mean()
        return bound_terms(draws, total=-bound - ascent / log_w.shape[1], bound=bound)
