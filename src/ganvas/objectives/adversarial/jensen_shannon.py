r"""The discriminator's cross-entropy, and the bound on the Jensen-Shannon divergence that follows from it.

.. math::
    L_D = -\mathbb{E}_x \log \sigma(D(x)) - \mathbb{E}_z \log\big(1 - \sigma(D(G(z)))\big), \qquad
    \mathrm{JS}(p_\text{data}, p_G) \ge \log 2 - \tfrac{1}{2} L_D,

with equality at the optimal discriminator. In logits, :math:`-\log \sigma(s) = \mathrm{softplus}(-s)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives.terms import Terms
from ganvas.types import widen


@final
@dataclass(frozen=True, eq=False)
class JensenShannonTerms(Terms):
    """The discriminator's cross-entropy and the bound on the Jensen-Shannon divergence.

    Args:
        total: cross-entropy in nats, ``2 log 2`` if all logits are 0.
        real_score: mean logit of real examples.
        fake_score: mean logit of generated examples.
        js_bound: lower bound on the Jensen-Shannon divergence, nats, at most ``log 2``.
    """

    real_score: Float[Tensor, ""]
    fake_score: Float[Tensor, ""]
    js_bound: Float[Tensor, ""]


def cross_entropy_terms(real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> JensenShannonTerms:
    r"""Compute the binary cross-entropy of real against generated examples, the loss of the original discriminator.

    Reference:
        Goodfellow et al. 2014, eq. 1 and theorem 1, https://arxiv.org/abs/1406.2661

    Args:
        real: logits of real examples, shape ``(n,)``.
        fake: logits of generated examples, shape ``(m,)``.

    Returns:
        The loss in nats: the mean over the real examples plus the mean over the generated ones.
    """
    real, fake = widen(real), widen(fake)
    total = softplus(-real).mean() + softplus(fake).mean()
    return JensenShannonTerms(total, real.mean(), fake.mean(), js_bound=math.log(2) - total / 2)
