r"""The generative adversarial network: a discriminator estimates a divergence, which the generator lowers.

.. math:: \min_G \max_D \; E_{x}[\log D(x)] + E_{z}[\log(1 - D(G(z)))]

is the original game (Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661); the objective says which losses
are really minimised. The critic's score is the discriminator's logit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import DiscriminatorLoss, Evidence
from ganvas.models.adversarial import Adversarial
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint, Divergence, Projection
from ganvas.types import Batch

RECENT = 50
"""Logged updates, a quarter of them at the default ``log.every``, over which the discriminator is judged."""


@final
class GAN(Adversarial):
    """A discriminator (the critic) and a divergence: minimax, non-saturating, least squares or hinge.

    Regularisers of the discriminator are welcome (R1, DRAGAN, gradient penalty, spectral norm), projections of its
    weights are not. Arguments: those of :class:`~ganvas.models.adversarial.Adversarial`.
    """

    headline = ("critic/total", "generator/total")
    objective: Any  # a Divergence, see :meth:`check`

    @staticmethod
    def check(objective: AdversarialObjective, constraint: Constraint) -> None:
        """Refuse what is no divergence, and a projection.

        Raises:
            ValueError: naming both sides and a fix.
        """
        if not isinstance(objective, Divergence):
            raise ValueError(
                f"GAN needs a divergence as its objective, got {type(objective).__name__}; "
                "write objective=non_saturating (or minimax, least_squares, hinge), or model=wgan_gp for Wasserstein"
            )
        projections = [part for part in constraint.flat() if isinstance(part, Projection)]
        if projections:
            raise ValueError(
                f"GAN and {type(projections[0]).__name__} do not go together: projecting a discriminator's weights "
                "bounds its logits, and its divergence with them; write constraint=none (or r1, spectral_norm), or "
                "model=wgan"
            )

    def own_evidence(
        self,
        train: Batch,
        held_out: Batch | None,
        history: Mapping[str, Float[Tensor, " t"]],
    ) -> tuple[Evidence, ...]:
        """The discriminator's recent loss against chance, and its input gradient where the constraint asks for one."""
        gradients = self._input_gradients(train)
        if "critic/total" not in history:
            return gradients
        loss, real, fake = (history[f"critic/{name}"][-RECENT:] for name in ("total", "real_score", "fake_score"))
        return (DiscriminatorLoss(loss, real, fake, self.objective.chance), *gradients)
