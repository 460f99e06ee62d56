r"""Sticking the landing: the ELBO's gradient without the score of the posterior, whose expectation is 0.

.. math::
    \nabla_\varphi \log w_i = \frac{\partial \log w_i}{\partial z_i} \frac{\partial z_i}{\partial \varphi}
        - \frac{\partial \log q_\varphi(z_i \mid x)}{\partial \varphi}, \qquad
    \mathbb{E}\, \frac{\partial \log q_\varphi(z_i \mid x)}{\partial \varphi} = 0.

Without the second part the gradient is as unbiased as before, and it is 0 for every draw, and not only on average,
where the posterior is exact: there :math:`\log w_i` does not depend on :math:`z_i`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.bounds.importance import log_weights
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class STL(Bound):
    r"""The ELBO with the path derivative: :math:`-\frac1k \sum_i \log p(x, z_i) - \log q_{\bar\varphi}(z_i \mid x)`.

    Reference:
        Roeder et al. 2017, section 3 and algorithm 1, https://arxiv.org/abs/1703.09194

    Args:
        samples: k, draws of the latents for each image, at least 1.

    Raises:
        ValueError: if ``samples`` is below 1.
    """

    reads_posterior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; a closed form of the KL is logged and does not enter the loss."""
        path = log_weights(draws.log_px_z, draws.log_pz, draws.path_log_qz_x)
        return bound_terms(draws, total=-path.mean())
