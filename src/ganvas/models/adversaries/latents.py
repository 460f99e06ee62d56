r"""Adversaries of the latents: the critic compares the latents of a batch with draws of the prior, or permuted ones.

.. math:: L_D\big(D(z'), D(z)\big), \qquad z \sim q(z \mid x), \qquad z' \sim p(z) \text{ or } \bar q(z).

There are two ways for the encoder to meet the critic. In the one loss of autoencoder and adversary,
:math:`L + \lambda\, L_G(D(z))`:

- a WAE-GAN has the reconstruction as :math:`L`, and draws of the prior as :math:`z'` (Tolstikhin et al. 2018,
  algorithm 1, https://arxiv.org/abs/1711.01558);
- a FactorVAE has a bound on the evidence as :math:`L`, and permuted latents as :math:`z'`. With the density ratio as
  its game, :math:`L_G` estimates the total correlation :math:`\mathrm{KL}(q(z) \,\|\, \bar q(z))` (Kim and Mnih 2018,
  equation 2, https://arxiv.org/abs/1802.05983; algorithm 2 permutes the latents of a second batch).

Or in an update of its own, by an optimiser of its own, on new latents, after the critic's update: the regularisation
phase of an adversarial autoencoder (Makhzani et al. 2015, section 2, https://arxiv.org/abs/1511.05644).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast, final, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.latents import Comparison
from ganvas.models.accumulation import Shares, sum_of
from ganvas.models.adversaries.base import Autoencoder, Compared, Differences, Joined, Made
from ganvas.models.adversaries.critic import CriticAdversary
from ganvas.models.modes import frozen
from ganvas.objectives.validation import require
from ganvas.types import Batch, Judged, Shape


@runtime_checkable
class ShowsLatents(Protocol):
    """An autoencoder whose latents are vectors."""

    def latents(self, batch: Batch) -> Float[Tensor, "m d"]:
        """Draw latents of examples by the encoder that is trained."""
        ...


@dataclass(frozen=True, eq=False)
class LatentAdversary(CriticAdversary):
    """Abstract: an adversary that compares latents.

    Args:
        critic: maps latents to scores.
        objective: losses of critic and encoder.
        constraint: constraint on the critic.
        comparison: what the latents are compared with: :class:`~ganvas.latents.PriorDraws` or
            :class:`~ganvas.latents.Permuted`.
    """

    comparison: Comparison

    def check(self, latent_dim: int | None, shape: Shape, decoder: Any) -> None:
        """Check that the latents are vectors of the size that the critic takes."""
        if latent_dim is None:
            raise ValueError(
                f"adversary: {type(self).__name__} compares latents that are vectors, and these are codes; write "
                "model=vqgan, whose critic compares images"
            )
        if tuple(self.critic.shape) != (latent_dim,):
            raise ValueError(
                f"adversary: the critic takes latents of shape {tuple(self.critic.shape)}, there are {latent_dim}; "
                "write model.adversary.critic.shape=[${prior.dim}]"
            )

    def look(self, model: Autoencoder, x: Tensor, y: Int64[Tensor, " n"] | None) -> Judged:
        """Score what the critic takes."""
        return Judged(model.call(self.critic, x, y))

    def compared(self, model: Autoencoder, made: Made) -> Compared:
        """Pair the latents with others, without graphs."""
        z = made.z.detach()
        return Compared(made.part, made.share, self.comparison(z, model.prior_by(model.trained)).detach(), z, made.y)


@final
@dataclass(frozen=True, eq=False)
class JoinedLatentAdversary(LatentAdversary):
    r"""The adversary of WAE-GAN and FactorVAE: one loss for autoencoder and adversary.

    Args:
        critic: maps latents to scores.
        objective: losses of critic and encoder.
        constraint: constraint on the critic.
        comparison: what the latents are compared with.
        weight: :math:`\lambda` (FactorVAE: :math:`\gamma`), positive.

    Raises:
        ValueError: ``weight`` is not positive.
    """

    weight: float
    players: ClassVar[tuple[str, ...]] = ("critic",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 10; model=vae has no adversary.")

    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Add the weighted loss of the encoder against the critic."""
        pair = self.compared(model, made)
        with frozen(self.critic):
            terms = self.against(self.judge(model, made.y), made.z, pair.wanted)
        loss = made.loss + self.weight * terms.total
        named = {f"adversary/{name}": value for name, value in terms.named().items()}
        return Joined(loss, {**made.terms, "total": loss.detach(), **named}, pair)

    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make the critic's optimiser."""
        return [self.critic_optimizer(make, differences)]

    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the critic."""
        return self.critic_turn(model, compared)


@final
@dataclass(frozen=True, eq=False)
class PhasedLatentAdversary(LatentAdversary):
    """The adversary of an AAE: after autoencoder and critic, the encoder alone is updated against the critic."""

    players: ClassVar[tuple[str, ...]] = ("critic", "encoder")

    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make the critic's optimiser, and a second one of the encoder."""
        weights = (p for p in encoder.parameters() if p.requires_grad)
        return [self.critic_optimizer(make, differences), make(weights, **differences["encoder"])]

    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Leave the loss as it is."""
        return Joined(made.loss, made.terms, self.compared(model, made))

    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the critic, then the encoder."""
        critic = self.critic_turn(model, compared)
        said: Shares = []
        model.keep_norm("vae")
        model.update("encoder", self._encoder_losses(model, compared, said))
        return {**critic, **{f"adversary/{name}": value for name, value in sum_of(said).items()}}

    def _encoder_losses(self, model: Autoencoder, compared: Sequence[Compared], said: Shares) -> Iterator[Tensor]:
        for pair in compared:
            z = cast(ShowsLatents, model).latents(pair.part)
            with frozen(self.critic):
                terms = self.against(self.judge(model, pair.y), z, pair.wanted)
            yield pair.share * terms.total
            said.append((pair.share, terms.named()))
