r"""Health checks of adversarial training: a saturated discriminator, an overfitted critic, the critic's gradient norm.

Each threshold is a named constant with its source; 'ours' means that no paper gives a value.
"""

from __future__ import annotations

import math
from typing import Final

from jaxtyping import Float
from torch import Tensor

from ganvas.health.checks import require_values
from ganvas.health.finding import Finding

SATURATED: Final = 0.01
"""Smallest loss as a share of the loss at chance (ours). At this loss the bound on the Jensen-Shannon divergence is 99%
of its largest value, log 2, where the minimax generator's gradient saturates (Goodfellow et al. 2014, section 3)."""
GAP_SHARE: Final = 0.25
"""Largest share of the critic's estimate that does not hold for held-out images (ours)."""
GAP_ERRORS: Final = 3.0
"""A gap below this many standard errors gives no warning (ours), as it may come from too few held-out images."""
LIPSCHITZ_BAND: Final = 0.25
"""Largest relative deviation of the mean gradient norm from its target (ours); the Wasserstein estimate scales with
the norm."""


def discriminator_saturation(
    loss: Float[Tensor, " t"], real_score: Float[Tensor, " t"], fake_score: Float[Tensor, " t"], chance: float
) -> Finding:
    r"""Judge whether the discriminator's loss is near zero, so that the generator gets almost no gradient.

    .. math:: \operatorname{median}_t L_t / L_\text{chance} \ge 0.01

    Reference: Arjovsky and Bottou 2017, theorem 2.4, https://arxiv.org/abs/1701.04862.

    Args:
        loss: the discriminator's loss without penalty, over the last logged updates.
        real_score: mean scores of real examples at these updates.
        fake_score: mean scores of generated examples at these updates.
        chance: the loss of the best constant score, positive: 2 ln 2 for minimax and non-saturating, 2 for hinge,
            ``(a - b)^2 / 4`` for least squares.

    Returns:
        ``discriminator_saturation``: median loss divided by the loss at chance.

    Raises:
        ValueError: there is no value, or the loss at chance is not positive.
    """
    require_values("loss", loss)
    if not chance > 0:
        raise ValueError(
            f"chance: expected a positive loss, got {chance}; a Wasserstein critic has none, use critic_gap"
        )
    ratio = float(loss.double().quantile(0.5)) / chance
    return Finding.of(
        "discriminator_saturation",
        ratio,
        ratio >= SATURATED,
        f"The discriminator's loss is {ratio:.1%} of that at chance (at least {SATURATED:.0%} is expected); scores are "
        f"{_mean(real_score):.3g} for real and {_mean(fake_score):.3g} for generated examples.",
        "The discriminator tells all examples apart: weaken or regularise it (R1, dropout, noise), slow it down, or "
        "use a Wasserstein critic.",
    )


def critic_gap(train: Float[Tensor, " n"], held_out: Float[Tensor, " h"], fake: Float[Tensor, " m"]) -> Finding:
    r"""Judge how much of the critic's estimate holds for training images only (overfitting).

    .. math:: \frac{E_\text{train} f - E_\text{held-out} f}{E_\text{train} f - E_\text{fake} f} \le 0.25
        \quad\text{or}\quad E_\text{train} f - E_\text{held-out} f \le 3\, \mathrm{SE}

    Reference: Gulrajani et al. 2017, figure 5 (b, overfitting of the critic), https://arxiv.org/abs/1704.00028.

    Args:
        train: scores of training images, at least 2.
        held_out: scores of real images that the critic was not trained on, at least 2.
        fake: scores of generated images, at least 2.

    Returns:
        ``critic_gap``: the gap as a share of the estimate; 0 if the estimate is not positive.

    Raises:
        ValueError: a set has fewer than 2 scores.
    """
    for name, scores in {"train": train, "held_out": held_out, "fake": fake}.items():
        if len(scores) < 2:
            raise ValueError(f"{name}: expected at least 2 scores, got {len(scores)}; score more images")
    gap, estimate = _mean(train) - _mean(held_out), _mean(train) - _mean(fake)
    error = math.sqrt(_squared_error(train) + _squared_error(held_out))
    share = 0.0 if estimate <= 0 else gap / estimate
    return Finding.of(
        "critic_gap",
        share,
        share <= GAP_SHARE or gap <= GAP_ERRORS * error,
        f"The critic scores training images {gap:.3g} ± {error:.2g} above held-out ones, {share:.1%} of its estimate "
        f"{estimate:.3g} (at most {GAP_SHARE:.0%} is expected).",
        "The critic overfits the training images: its estimate is too high; use more data, augmentation, or a "
        "smaller critic.",
    )


def critic_gradient(norms: Float[Tensor, " n"], target: float, one_sided: bool) -> Finding:
    r"""Judge whether the critic's gradient with respect to its input has the norm that the penalty demands.

    .. math:: 1 - \delta \le E \lVert \nabla_{\hat x} f \rVert / t \le 1 + \delta, \qquad \delta = 0.25

    Reference: Gulrajani et al. 2017, equation 3, https://arxiv.org/abs/1704.00028.

    Args:
        norms: gradient norms at points between real and generated examples, at least one.
        target: t, positive.
        one_sided: whether the penalty allows norms below the target.

    Returns:
        ``critic_gradient``: mean norm divided by the target.

    Raises:
        ValueError: there is no norm, or the target is not positive.
    """
    require_values("norms", norms)
    if not target > 0:
        raise ValueError(f"target: expected a positive norm, got {target}; the gradient penalty's is 1")
    ratio, low = _mean(norms) / target, 0.0 if one_sided else 1 - LIPSCHITZ_BAND
    spread = float(norms.double().std(correction=0)) / target
    return Finding.of(
        "critic_gradient",
        ratio,
        low <= ratio <= 1 + LIPSCHITZ_BAND,
        f"The critic's gradient norm is {ratio:.3g} ± {spread:.2g} (sd over points) times its target ({low:g} to "
        f"{1 + LIPSCHITZ_BAND:g} is expected).",
        "The Wasserstein estimate is off by as much: train the critic longer, or weigh the penalty more.",
    )


def _mean(scores: Tensor) -> float:
    return float(scores.double().mean())


def _squared_error(scores: Tensor) -> float:
    return float(scores.double().var()) / len(scores)
