r"""The generative adversarial network: the discriminator estimates a divergence, and the generator minimises it.

.. math:: \min_G \max_D \; E_{x}[\log D(x)] + E_{z}[\log(1 - D(G(z)))]

is the original game (Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661). The objective determines the
losses. The critic's score is the discriminator's logit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import Evidence
from ganvas.models.adversarial import Adversarial
from ganvas.models.looking import input_gradients_of, recent_loss
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint, Divergence, Projection
from ganvas.types import Batch


@final
class GAN(Adversarial):
    """A GAN with a divergence as its objective: minimax, non-saturating, least squares, hinge or relativistic.

    The constraint can be a regulariser of the discriminator (R1, DRAGAN, gradient penalty, spectral norm), but not a
    projection of its weights. The arguments are those of :class:`~ganvas.models.adversarial.Adversarial`.
    """

    headline = ("critic/total", "generator/total")
    objective: Any  # a Divergence, see :meth:`check`

    @staticmethod
    def check(objective: AdversarialObjective, constraint: Constraint) -> None:
        """Check that the objective is a divergence, and that the constraint is not a projection.

        Raises:
            ValueError: one of them does not belong to a GAN.
        """
        if not isinstance(objective, Divergence):
            raise ValueError(
                f"GAN needs a divergence as its objective, got {type(objective).__name__}; "
                "write objective=non_saturating (or minimax, least_squares, hinge, relativistic), or model=wgan_gp"
            )
        projections = [part for part in constraint.flat() if isinstance(part, Projection)]
        if projections:
            raise ValueError(
                f"GAN and {type(projections[0]).__name__} do not go together: projecting a discriminator's weights "
                "bounds its logits and so the divergence; write constraint=none (or r1, spectral_norm), or model=wgan"
            )

    def own_evidence(
        self,
        train: Batch,
        held_out: Batch | None,
        history: Mapping[str, Float[Tensor, " t"]],
    ) -> tuple[Evidence, ...]:
        """Return the discriminator's recent loss, its chance level and, if the constraint has a target, gradients."""
        return (*recent_loss(self.objective, history), *self.privacy(), *input_gradients_of(self, train))
