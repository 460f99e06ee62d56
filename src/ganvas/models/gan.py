r"""The generative adversarial network: a discriminator estimates a divergence, which the generator lowers.

.. math:: \min_G \max_D \; E_{x}[\log D(x)] + E_{z}[\log(1 - D(G(z)))]

is the original game (Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661); the objective says which losses
are really minimised. The critic's score is the discriminator's logit.
"""

from __future__ import annotations

from ganvas.models.adversarial import Adversarial
from ganvas.models.base import OptimizerFactory
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint, Divergence, Projection
from ganvas.types import Critic, Generator, Prior


class GAN(Adversarial):
    """A discriminator (the critic) and a divergence; regularisers are welcome, projections of the weights are not.

    Args:
        prior: distribution of the latents.
        generator: latents to examples.
        critic: examples to the discriminator's logits.
        objective: minimax, non-saturating, least squares or hinge.
        constraint: a regulariser of the discriminator (R1, DRAGAN, gradient penalty, spectral norm) or none.
        n_critic: discriminator updates for each generator update; >= 1.
        generator_optimizer: called with the generator's parameters.
        critic_optimizer: called with the discriminator's parameters.
        ema_halflife: memory of the averaged generator in images; None keeps no average.
        gradient_clip: largest L2 norm of either network's gradient; None clips nothing.
        schedule: factor on both learning rates by images seen.

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("critic/total", "generator/total")

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
        if not isinstance(objective, Divergence):
            raise ValueError(
                f"GAN needs a divergence as its objective, got {type(objective).__name__}; "
                "write objective=non_saturating (or minimax, least_squares, hinge), or model=wgan_gp for Wasserstein"
            )
        if isinstance(constraint, Projection):
            raise ValueError(
                f"GAN and {type(constraint).__name__} do not go together: projecting a discriminator's weights bounds "
                "its logits, and its divergence with them; write constraint=none (or r1, spectral_norm), or model=wgan"
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
