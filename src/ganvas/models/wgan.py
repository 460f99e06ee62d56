r"""The Wasserstein GAN: a 1-Lipschitz critic estimates the earth mover's distance, which the generator lowers.

.. math:: W(P_r, P_g) = \sup_{\|f\|_L \le 1} E_{x \sim P_r}[f(x)] - E_{x \sim P_g}[f(x)]

Reference: Arjovsky, Chintala and Bottou 2017, eq. 2, https://arxiv.org/abs/1701.07875. The critic's loss, with its sign
turned, is the estimate, up to the critic's Lipschitz constant; it is logged as ``critic/wasserstein``.
"""

from __future__ import annotations

from ganvas.models.adversarial import Adversarial
from ganvas.models.base import OptimizerFactory
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint, Wasserstein
from ganvas.types import Critic, Generator, Prior


class WGAN(Adversarial):
    """A critic, the Wasserstein objective and exactly one Lipschitz constraint.

    Args:
        prior: distribution of the latents.
        generator: latents to examples.
        critic: examples to unbounded scores.
        objective: the Wasserstein objective.
        constraint: what keeps the critic Lipschitz: gradient penalty, weight clipping or spectral norm.
        n_critic: critic updates for each generator update; >= 1.
        generator_optimizer: called with the generator's parameters.
        critic_optimizer: called with the critic's parameters.
        ema_halflife: memory of the averaged generator in images; None keeps no average.
        gradient_clip: largest L2 norm of either network's gradient; None clips nothing.
        schedule: factor on both learning rates by images seen.

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("critic/wasserstein", "generator/total")

    def __init__(
        self,
        prior: Prior,
        generator: Generator,
        critic: Critic,
        objective: AdversarialObjective,
        constraint: Constraint,
        n_critic: int,
        generator_optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
    ) -> None:
        if not isinstance(objective, Wasserstein):
            raise ValueError(
                f"WGAN needs the Wasserstein objective, got {type(objective).__name__}; "
                "write objective=wasserstein, or model=gan for a divergence"
            )
        if not constraint.lipschitz:
            raise ValueError(
                f"WGAN needs a Lipschitz constraint on its critic, got {type(constraint).__name__}; "
                "write constraint=gradient_penalty, weight_clipping or spectral_norm"
            )
        super().__init__(
            prior,
            generator,
            critic,
            objective,
            constraint,
            n_critic,
            generator_optimizer,
            critic_optimizer,
            ema_halflife,
            gradient_clip,
            schedule,
        )
