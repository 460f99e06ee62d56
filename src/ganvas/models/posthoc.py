r"""Power-function averages of weights, and averages of any other width made of their snapshots after the training.

The average with exponent :math:`\gamma` after :math:`t` images weighs the weights :math:`\theta(\tau)` by the profile

.. math:: \hat\theta_\gamma(t) = \int_0^t p_{\gamma,t}(\tau)\, \theta(\tau)\, d\tau, \qquad
    p_{\gamma,t}(\tau) = \frac{(\gamma + 1)\, \tau^\gamma}{t^{\gamma+1}} \qquad \text{(121)}

and its width is the standard deviation of the profile as a share of the training,
:math:`\sigma_{rel} = \sqrt{(\gamma + 1) / ((\gamma + 2)^2 (\gamma + 3))}` (123). The initial weights have no influence.

Snapshots :math:`\hat\theta_{\gamma_i}(t_i)` of a few averages at several times have profiles that span others. A
profile that was never kept is approximated by the linear combination with the smallest squared error,

.. math:: \min_x \int \Bigl( p_{\gamma,t}(\tau) - \sum_i x_i\, p_{\gamma_i,t_i}(\tau) \Bigr)^2 d\tau,
    \qquad A x = b, \quad A_{ij} = \langle p_i, p_j \rangle, \quad b_i = \langle p_i, p \rangle,

and the same combination of the snapshots approximates the average. Reference: Karras et al. 2024, section 3 and
appendix C, whose equations are numbered here, https://arxiv.org/abs/2312.02696.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, final

import numpy as np

WIDEST: Final = 1 / sqrt(12)
"""Width of the plain mean of all weights, gamma = 0; a wider profile would prefer the oldest weights."""


def relative_width(gamma: float) -> float:
    """Compute the width of a profile, equation 123.

    Args:
        gamma: exponent, at least 0.

    Returns:
        Standard deviation of the profile as a share of the images seen.
    """
    return sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))


def exponent(width: float) -> float:
    r"""Compute the exponent of a profile from its width: equation 126, algorithm 2.

    It is the largest root of :math:`\gamma^3 + 7 \gamma^2 + (16 - \sigma^{-2}) \gamma + 12 - \sigma^{-2}`, which is
    equation 123 without its fractions.

    Args:
        width: relative width, above 0, at most :data:`WIDEST`.

    Raises:
        ValueError: a width out of range.
    """
    if not 0 < width <= WIDEST:
        raise ValueError(
            f"sigma_rel={width}: expected a number above 0 and at most {WIDEST:.4f}, the width of the plain mean of "
            "all weights; write 0.1"
        )
    inverse = width**-2
    return max(0.0, float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max()))


def decay(gamma: float, images: int, images_seen: int) -> float:
    r"""Compute the factor by which an update shrinks the average, equation 127.

    .. math:: \beta = (1 - \Delta t / t)^{\gamma + 1}

    The average is then exact for weights that are constant between updates.

    Args:
        gamma: exponent of the profile.
        images: images seen since the last update.
        images_seen: images seen in all, including this step.
    """
    return float((1 - images / images_seen) ** (gamma + 1))


@final
@dataclass(frozen=True)
class Profile:
    """The profile of an average.

    Args:
        gamma: exponent, at least 0.
        seen: images seen at the time of the average, above 0.
    """

    gamma: float
    seen: int | float

    def inner(self, other: Profile) -> float:
        r"""Compute the inner product with another profile, equation 151.

        .. math:: \langle p_a, p_b \rangle = \frac{(\gamma_a + 1)(\gamma_b + 1)}{\gamma_a + \gamma_b + 1}
            \cdot \frac{(t_a / t_b)^{\gamma_b}}{t_b} \qquad \text{for } t_a \le t_b

        Args:
            other: the other profile.
        """
        early, late = (self, other) if self.seen <= other.seen else (other, self)
        shared = (early.gamma + 1) * (late.gamma + 1) / (early.gamma + late.gamma + 1)
        return float(shared * (early.seen / late.seen) ** late.gamma / late.seen)


def combination(kept: Sequence[Profile], wanted: Profile) -> tuple[list[float], float]:
    """Solve for the combination of kept averages that is closest to a wanted one, algorithm 3.

    Args:
        kept: profiles of the snapshots, at least one.
        wanted: profile of the average to approximate.

    Returns:
        The factor of each snapshot, with sum 1, and the error of the profile: the norm of the difference divided by the
        norm of the wanted profile.
    """
    unit = [Profile(profile.gamma, profile.seen / wanted.seen) for profile in kept]
    goal = Profile(wanted.gamma, 1.0)
    products = np.array([[a.inner(b) for b in unit] for a in unit])
    right = np.array([a.inner(goal) for a in unit])
    # Not solve(): profiles that nearly agree, of snapshots close to each other, make the matrix singular.
    factors = np.linalg.lstsq(products, right, rcond=None)[0]
    factors = factors / factors.sum()
    square = factors @ products @ factors - 2 * factors @ right + goal.inner(goal)
    return factors.tolist(), sqrt(max(0.0, float(square)) / goal.inner(goal))
