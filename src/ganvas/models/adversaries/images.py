r"""The adversary of a VQGAN: a critic of reconstructions, whose weight follows gradients at the decoder's last layer.

.. math:: L = L_\text{autoencoder} + w \lambda\, L_G\big(D(\hat x)\big), \qquad
    \lambda = \frac{\|\nabla_\theta L_\text{rec}\|}{\|\nabla_\theta L_G\| + 10^{-6}},

where :math:`\theta` are the weights of the decoder's last layer, and :math:`\lambda` is held constant. Both parts then
move the last layer by as much, whatever their units. The critic has no part, and does not learn, before ``start``
images.

Reference: Esser et al. 2021, equations 6 and 7, https://arxiv.org/abs/2012.09841. The paper's reconstruction is a
perceptual loss (``likelihood=perceptual``), which needs the weights of another network; ``model=vqgan`` does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.models.adversaries.base import Autoencoder, Compared, Differences, Joined, Made
from ganvas.models.adversaries.critic import CriticAdversary
from ganvas.models.adversaries.features import require_images
from ganvas.models.modes import frozen
from ganvas.objectives.validation import require
from ganvas.types import Judged, Shape

TINY: Final = 1e-6


@final
@dataclass(frozen=True, eq=False)
class ImageAdversary(CriticAdversary):
    """A critic of reconstructions.

    Args:
        critic: maps images to scores, one or several for each image.
        objective: losses of critic and autoencoder.
        constraint: constraint on the critic.
        weight: :math:`w`, positive; 1 in the paper.
        start: images seen before the critic takes part, at least 0.

    Raises:
        ValueError: a number out of range.
    """

    weight: float
    start: int
    players: ClassVar[tuple[str, ...]] = ("critic",)
    headline: ClassVar[tuple[str, ...]] = ("adversary/weight", *CriticAdversary.headline)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 0.1; model=vq_vae has no critic.")
        require(self.start >= 0, "start", self.start, "a number of images, at least 0", "Use 0 for no delay.")

    @property
    def irregular(self) -> str:
        """A delay of the critic."""
        return f"the adversary begins after {self.start:,} images" if self.start else ""

    def check(self, latent_dim: int | None, shape: Shape, decoder: Any) -> None:
        """Check that the critic takes the decoder's images, and that the decoder names its last layer."""
        require_images(self.critic, shape)
        if not isinstance(getattr(getattr(decoder, "output", None), "weight", None), Tensor):
            raise ValueError(
                f"adversary: ImageAdversary weighs by gradients at the decoder's last layer, and "
                f"{type(decoder).__name__} has no layer `output`; take network=vq, mlp or conv"
            )

    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make the critic's optimiser."""
        return [self.critic_optimizer(make, differences)]

    def look(self, model: Autoencoder, x: Tensor, y: Int64[Tensor, " n"] | None) -> Judged:
        """Score what the critic takes."""
        return Judged(model.call(self.critic, x, y))

    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Add the loss against the critic by its adaptive weight, once ``start`` images are seen."""
        if model.images_seen < self.start:
            return Joined(made.loss, made.terms, None)
        images, x = model.likelihood.mean(made.location), made.x
        with frozen(self.critic):
            terms = self.against(self.judge(model, made.y), images, x)
        last: Any = model.trained("decoder").output
        weight = self.weight * adaptive_weight(-made.reconstruction, terms.total, last.weight)
        loss = made.loss + weight * terms.total
        named = {f"adversary/{name}": value for name, value in terms.named().items()}
        logged = {**made.terms, "total": loss.detach(), **named, "adversary/weight": weight}
        return Joined(loss, logged, Compared(made.part, made.share, x, images.detach(), made.y))

    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the critic, once it takes part."""
        return self.critic_turn(model, compared) if compared else {}


def adaptive_weight(
    reconstruction: Float[Tensor, ""], against: Float[Tensor, ""], last: Float[Tensor, "..."]
) -> Float[Tensor, ""]:
    r"""Compute :math:`\lambda`, without a graph.

    Args:
        reconstruction: the loss of the reconstruction.
        against: the loss against the critic.
        last: weights of the decoder's last layer.
    """
    own, theirs = (torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (reconstruction, against))
    return own / (theirs + TINY)
