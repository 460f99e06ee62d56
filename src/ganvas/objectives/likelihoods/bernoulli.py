r"""Bernoulli likelihood of binary pixels; the decoder's output is a logit.

.. math::
    \log p(x \mid z) = \sum_j t_j \log \sigma(\ell_j) + (1 - t_j) \log(1 - \sigma(\ell_j)), \qquad
    t = (x + 1) / 2 \in [0, 1].

For binary :math:`t` this is a normalised likelihood. Grey targets are allowed, because many papers train on them. The
value is then a negative cross-entropy and no likelihood of the image, and cannot be compared with other likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives.likelihoods.base import Likelihood, sum_coordinates
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Bernoulli(Likelihood):
    r"""Independent Bernoulli pixels with logits :math:`\ell`; the module's docstring explains grey targets.

    Reference:
        Kingma and Welling 2014, appendix C.1, eq. 11, https://arxiv.org/abs/1312.6114
    """

    space: ClassVar[str] = "binary pixels"

    @property
    def learned_scale(self) -> bool:
        """False: a Bernoulli distribution has no scale."""
        return False

    def log_prob(
        self, x: Float[Tensor, " n *shape"], location: Float[Tensor, " ..."], log_scale: Float[Tensor, " *c"] | None
    ) -> Float[Tensor, "*k n"]:
        """Return the negative cross-entropy in nats, see :meth:`Likelihood.log_prob`."""
        require(log_scale is None, "log_scale", log_scale, "None", "A Bernoulli has no scale: pass None.")
        target, logits = (widen(x) + 1) / 2, widen(location)
        return sum_coordinates(target * logits - softplus(logits), x)

    def mean(self, location: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        r"""Return :math:`2 \sigma(\ell) - 1`, in [-1, 1]."""
        return 2 * torch.sigmoid(location) - 1
