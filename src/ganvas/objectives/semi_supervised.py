r"""The bounds of M2, a model of images and classes of which only some images have a class.

.. math:: p(x) = \int \sum_y p(x \mid y, z)\, p(y)\, p(z)\, dz, \qquad q(y, z \mid x) = q(y \mid x)\, q(z \mid x, y).

An image with its class has the bound (equation 6), an image without one the bound (equation 7),

.. math::
    -\mathcal{L}(x, y) &= \mathbb{E}_{q(z \mid x, y)} \log p(x \mid y, z) + \log p(y)
    - \mathrm{KL}(q(z \mid x, y) \,\|\, p(z)) \le \log p(x, y), \\
    -\mathcal{U}(x) &= \sum_y q(y \mid x) \big( -\mathcal{L}(x, y) \big) + \mathcal{H}(q(y \mid x)) \le \log p(x).

Only the second trains the classifier :math:`q(y \mid x)`, so that its cross-entropy on labelled images is added with a
weight (equations 8 and 9, here divided by the number N of images),

.. math:: J = \frac1N \Big( \sum_{\text{labelled}} \mathcal{L}(x, y) + \sum_{\text{others}} \mathcal{U}(x) \Big)
    + \frac{\alpha}{N}\, \mathbb{E}_{\text{labelled}} [-\log q(y \mid x)].

The sum over classes is exact: each image is decoded once for each class.

Reference: Kingma et al. 2014, https://arxiv.org/abs/1406.5298
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ganvas.objectives.bounds.base import BoundTerms, require_samples
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True, eq=False)
class ClassDraws:
    """Inputs of the bounds: for each of n images and each of c classes, k draws of the latents.

    Args:
        log_px_yz: log-likelihood of the images given class and draw, summed over pixels, nats.
        kl: divergence of the posterior given the class from the prior, nats.
        log_py: log probability of each class, nats.
        log_qy_x: log probability of each class by the classifier, nats.
    """

    log_px_yz: Float[Tensor, "k n c"]
    kl: Float[Tensor, "n c"]
    log_py: Float[Tensor, " c"]
    log_qy_x: Float[Tensor, "n c"]

    @property
    def by_class(self) -> Float[Tensor, "n c"]:
        r"""Bound of each image with each class, :math:`-\mathcal{L}(x, y)`, nats."""
        return self.log_px_yz.mean(0) + self.log_py - self.kl

    @property
    def without_class(self) -> Float[Tensor, " n"]:
        r"""Bound of each image without its class, :math:`-\mathcal{U}(x)`, nats."""
        return (self.log_qy_x.exp() * (self.by_class - self.log_qy_x)).sum(1)


@final
@dataclass(frozen=True)
class SemiSupervised:
    r"""The objective of M2.

    Reference:
        Kingma et al. 2014, equations 6 to 9, https://arxiv.org/abs/1406.5298

    Args:
        samples: k, draws of the latents for each image and class, at least 1.
        weight: :math:`\alpha / N`, at least 0.

    Raises:
        ValueError: an argument out of range.
    """

    samples: int
    weight: float
    bounds_evidence: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(self.weight >= 0, "weight", self.weight, "a number of at least 0", "Use 20.")

    def __call__(
        self, draws: ClassDraws, y: Int64[Tensor, " n"], known: Bool[Tensor, " n"], share: float
    ) -> BoundTerms:
        """Compute the terms of a batch; the terms ``elbo``, ``reconstruction`` and ``kl`` use no class.

        Args:
            draws: the draws.
            y: class of each image; read where it is known.
            known: whether the class of each image may be read.
            share: share of the training images whose class is known, above 0.
        """
        place = y.where(known, 0)[:, None]
        with_class, log_q = (values.gather(1, place).squeeze(1) for values in (draws.by_class, draws.log_qy_x))
        bound = with_class.where(known, draws.without_class).mean()
        classification = (-log_q).where(known, 0.0).mean() / share
        q = draws.log_qy_x.exp()
        reconstruction = (q * draws.log_px_yz.mean(0)).sum(1).mean()
        divergence = (q * (draws.kl + draws.log_qy_x - draws.log_py)).sum(1).mean()
        elbo = reconstruction - divergence
        total = self.weight * classification - bound
        return BoundTerms(total, reconstruction, divergence, elbo, elbo, {"classification": classification})
