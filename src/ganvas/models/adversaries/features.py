r"""The adversary of a VAE-GAN: a critic of images, in whose features a reconstruction is compared with its image.

.. math::
    L_\text{enc} = L_\text{KL} + L_\text{sim}, \qquad
    L_\text{dec} = \gamma L_\text{sim} + L_G\big(D(\tilde x, x_p)\big), \qquad
    L_\text{sim} = \tfrac12 \mathbb{E}\, \|h(x) - h(\tilde x)\|^2,

where :math:`h` are the features that the critic's score is made from, :math:`\tilde x` are reconstructions and
:math:`x_p` images decoded from draws of the prior. The log-likelihood of the pixels is no part of the loss, so that no
bound on the evidence is left. The critic learns from both kinds of images; the encoder learns nothing from its scores.

The encoder's loss and the decoder's have gradients to different weights, so one optimiser descends their sum: what the
decoder alone descends is computed from latents without a graph.

Reference: Larsen et al. 2016, algorithm 1, https://arxiv.org/abs/1512.09300. There the critic's loss adds the losses of
both kinds of images; here it is their mean, as many as there are real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.models.adversaries.base import Autoencoder, Compared, Differences, Joined, Made
from ganvas.models.adversaries.critic import CriticAdversary
from ganvas.models.modes import frozen
from ganvas.objectives import Judge
from ganvas.objectives.validation import require
from ganvas.types import Judged, Reads, Shape, widen


@final
@dataclass(frozen=True, eq=False)
class FeatureAdversary(CriticAdversary):
    r"""A critic of images whose features replace the pixels of the reconstruction.

    Args:
        critic: maps images to scores, and shows its features.
        objective: losses of critic and decoder.
        constraint: constraint on the critic.
        weight: :math:`\gamma`, weight of the similarity in the decoder's loss, positive.

    Raises:
        ValueError: ``weight`` is not positive, or the critic shows no features.
    """

    weight: float
    players: ClassVar[tuple[str, ...]] = ("critic",)
    keeps_bound: ClassVar[bool] = False
    headline: ClassVar[tuple[str, ...]] = ("similarity", *CriticAdversary.headline)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 1.")
        if not isinstance(self.critic, Reads):
            raise ValueError(
                f"adversary: FeatureAdversary reads the critic's features, which {type(self.critic).__name__} does not "
                "show; give it a method `read` (derive it from ganvas.networks.FeatureCritic)"
            )

    def check(self, latent_dim: int | None, shape: Shape, decoder: Any) -> None:
        """Check that the latents are vectors, and that the critic takes the decoder's images."""
        if latent_dim is None:
            raise ValueError("adversary: FeatureAdversary draws latents that are vectors; write model=vqgan for codes")
        require_images(self.critic, shape)

    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make the critic's optimiser."""
        return [self.critic_optimizer(make, differences)]

    def look(self, model: Autoencoder, x: Tensor, y: Int64[Tensor, " n"] | None) -> Judged:
        """Read the critic's scores and features."""
        return self.critic.read(x, y)

    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Replace the likelihood by the similarity, and add the decoder's loss against the critic."""
        pair, drawn, again = self._compared(model, made)
        with frozen(self.critic):
            judge, x = self.judge(model, made.y), made.x  # one tensor, of which the judge remembers the features
            both = self._similarity(judge, model.likelihood.mean(made.location), x)
            of_decoder = self._similarity(judge, again, x)
            terms = self.against(self.judge(model, pair.y), torch.cat([again, drawn]), pair.wanted)
        latents = made.loss + made.reconstruction  # the likelihood has weight one in every objective
        loss = latents + both + (self.weight - 1) * of_decoder + terms.total
        own = {"total": loss, "latent_cost": latents, "similarity": both, "reconstruction": made.reconstruction}
        named = {f"adversary/{name}": value for name, value in terms.named().items()}
        return Joined(loss, {**{name: value.detach() for name, value in own.items()}, **named}, pair)

    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the critic."""
        return self.critic_turn(model, compared)

    def _compared(self, model: Autoencoder, made: Made) -> tuple[Compared, Tensor, Tensor]:
        """Pair each image with its reconstruction and with an image from the prior; return their graphs too."""
        z_p = model.prior_by(model.trained).sample(len(made.z), device=made.z.device)
        decoder = model.trained("decoder")
        again, drawn = (model.likelihood.mean(model.call(decoder, z, made.y)) for z in (made.z.detach(), z_p))
        x, y = made.x, None if made.y is None else made.y.repeat(2)
        fake = torch.cat([again, drawn]).detach()
        return Compared(made.part, made.share, torch.cat([x, x]), fake, y), drawn, again

    def _similarity(self, judge: Judge, images: Tensor, x: Tensor) -> Float[Tensor, ""]:
        wanted, found = (widen(_features(judge, one)) for one in (x, images))
        return (found - wanted.detach()).square().sum(1).mean() / 2


def require_images(critic: Any, shape: Shape) -> None:
    """Refuse a critic of other images than the decoder's.

    Args:
        critic: the critic.
        shape: shape of one example.

    Raises:
        ValueError: names both shapes.
    """
    if tuple(critic.shape) != tuple(shape):
        raise ValueError(
            f"adversary: the critic takes examples of shape {tuple(critic.shape)}, the decoder makes {tuple(shape)}; "
            "give both the shape of the data"
        )


def _features(judge: Judge, x: Tensor) -> Tensor:
    features = judge.judged(x).features
    assert features is not None
    return features
