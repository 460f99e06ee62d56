r"""The Wasserstein GAN: a 1-Lipschitz critic estimates the Wasserstein-1 distance, and the generator minimises it.

.. math:: W(P_r, P_g) = \sup_{\|f\|_L \le 1} E_{x \sim P_r}[f(x)] - E_{x \sim P_g}[f(x)]

Reference: Arjovsky, Chintala and Bottou 2017, eq. 2, https://arxiv.org/abs/1701.07875. The negative
loss of the critic estimates the distance times the critic's Lipschitz constant; it is logged as ``critic/wasserstein``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import CriticScores, Evidence
from ganvas.models.adversarial import Adversarial
from ganvas.models.looking import fakes_of, input_gradients_of, scores_of
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint, Wasserstein
from ganvas.types import Batch


@final
class WGAN(Adversarial):
    """A WGAN with the Wasserstein objective and a Lipschitz constraint.

    The constraint is a gradient penalty, weight clipping or spectral norm, or a sum with one of them. The arguments are
    those of :class:`~ganvas.models.adversarial.Adversarial`.
    """

    headline = ("critic/wasserstein", "generator/total")

    @staticmethod
    def check(objective: AdversarialObjective, constraint: Constraint) -> None:
        """Check that the objective is the Wasserstein one, and that the constraint bounds the Lipschitz constant.

        Raises:
            ValueError: one of them does not belong to a WGAN.
        """
        if not isinstance(objective, Wasserstein):
            raise ValueError(
                f"WGAN needs the Wasserstein objective, got {type(objective).__name__}; "
                "write objective=wasserstein, or model=gan for a divergence"
            )
        if not constraint.lipschitz:
            names = " and ".join(type(part).__name__ for part in constraint.flat())
            raise ValueError(
                f"WGAN needs a Lipschitz constraint on its critic, got {names}; "
                "write constraint=gradient_penalty, weight_clipping or spectral_norm"
            )

    def own_evidence(
        self,
        train: Batch,
        held_out: Batch | None,
        history: Mapping[str, Float[Tensor, " t"]],
    ) -> tuple[Evidence, ...]:
        """Return the critic's scores of training, held-out and generated examples and, if penalised, gradient norms."""
        gradients = (*self.privacy(), *input_gradients_of(self, train))
        if held_out is None:
            return gradients
        real, other, fake = (train.x, train.y), (held_out.x, held_out.y), (fakes_of(self, train), train.y)
        return (CriticScores(*(scores_of(self, *examples) for examples in (real, other, fake))), *gradients)
