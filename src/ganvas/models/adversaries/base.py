r"""The third player of an autoencoder: an adversary, whose critic tells what the autoencoder makes from what it should.

.. math:: L = L_\text{autoencoder} + \lambda\, L_G\big(D(\text{made})\big), \qquad
    L_D\big(D(\text{wanted}), D(\text{made})\big) + \Omega(D),

with the objectives and constraints of a GAN. Each adversary says what is made and what is wanted: latents or images.

Each batch gives an update of the autoencoder, against a critic that does not learn, and then the turns of the
adversary, first the critic's. The critic learns from what the autoencoder made before its update, so both gradients
are taken at the same weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from ganvas.health.evidence import Evidence
from ganvas.objectives import Likelihood, ReconstructionLoss
from ganvas.types import Batch, Shape

Differences = Mapping[str, Mapping[str, Any]]
"""Arguments of a player's optimiser that differ from the model's, by player."""


@runtime_checkable
class Autoencoder(Protocol):
    """A model as its adversary sees it."""

    updates: int
    images_seen: int
    likelihood: Likelihood | ReconstructionLoss

    def update(self, player: str, losses: Iterable[Float[Tensor, ""]]) -> object:
        """Step a player's optimiser down the sum of the losses."""
        ...

    def call(self, network: Any, x: Tensor, y: Int64[Tensor, " n"] | None) -> Any:
        """Run a network, with the classes if it is conditional."""
        ...

    def trained(self, name: str) -> nn.Module:
        """Return the network ``name`` with the weights that are trained."""
        ...

    def prior_by(self, network: Callable[[str], Any]) -> Any:
        """Return the distribution of the latents."""
        ...

    def keep_norm(self, player: str) -> None:
        """Note the norm of a player's gradient, before another player's update changes the gradient."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Made:
    """What an autoencoder made of a part of a batch, and its loss alone.

    Args:
        part: the examples.
        share: share of the batch's examples that are in this part.
        z: latents as the decoder takes them, one or several for each example, all first ones before all second ones.
        y: class of each latent; None without classes.
        location: the decoder's output for each latent.
        loss: loss of the autoencoder, in which the log-likelihood has weight one.
        reconstruction: mean log-likelihood, nats.
        terms: what is logged of the loss.
    """

    part: Batch
    share: float
    z: Shaped[Tensor, "m *latent"]
    y: Int64[Tensor, " m"] | None
    location: Float[Tensor, " m *shape"]
    loss: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    terms: Mapping[str, Tensor]

    @property
    def x(self) -> Float[Tensor, " m *shape"]:
        """The example of each latent."""
        times = len(self.z) // len(self.part)
        return self.part.x.repeat(times, *[1] * (self.part.x.ndim - 1))


@final
@dataclass(frozen=True, eq=False)
class Compared:
    """What the critic's turn compares, without graphs: as many of both kinds.

    Args:
        part: the examples that it was made of.
        share: share of the batch's examples that are in this part.
        wanted: what the critic takes for real.
        made: what the autoencoder made.
        y: class of each pair; None without classes.
    """

    part: Batch
    share: float
    wanted: Float[Tensor, "m ..."]
    made: Float[Tensor, "m ..."]
    y: Int64[Tensor, " m"] | None


@final
@dataclass(frozen=True, eq=False)
class Joined:
    """The autoencoder's loss with the adversary's part.

    Args:
        loss: scalar to minimise over encoder and decoder.
        terms: what is logged of it.
        compared: what the critic's turn compares; None if the critic does not learn yet.
    """

    loss: Float[Tensor, ""]
    terms: Mapping[str, Tensor]
    compared: Compared | None


class Adversary(ABC):
    """Abstract: what an autoencoder asks of its third player."""

    players: ClassVar[tuple[str, ...]]
    """Names of the players beside the autoencoder; each has one optimiser."""
    headline: ClassVar[tuple[str, ...]]
    """The terms to watch."""
    keeps_bound: ClassVar[bool]
    """Whether the autoencoder still descends its own objective, so that a bound on the evidence stays one."""

    @property
    def period(self) -> int:
        """Number of turns after which they repeat, see :attr:`ganvas.models.Model.period`."""
        return 1

    @property
    def irregular(self) -> str:
        """What a turn decides by itself, see :attr:`ganvas.models.Model.irregular`."""
        return ""

    @property
    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """The networks by name."""

    @abstractmethod
    def check(self, latent_dim: int | None, shape: Shape, decoder: Any) -> None:
        """Check that the adversary fits the autoencoder.

        Args:
            latent_dim: dimension of the latents; None if they are codes.
            shape: shape of one example.
            decoder: the network from latents to examples.

        Raises:
            ValueError: names what differs and the fix.
        """

    @abstractmethod
    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make one optimiser for each of :attr:`players`.

        Args:
            make: makes an optimiser from parameters.
            differences: arguments of ``make`` that differ, by player.
            encoder: the network from examples to latents.
        """

    @abstractmethod
    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Add the adversary's part to the autoencoder's loss; the critic does not learn from it.

        Args:
            model: the autoencoder.
            made: what it made of a part of a batch.
        """

    @abstractmethod
    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the adversary's players, and return their terms.

        Args:
            model: the autoencoder.
            compared: what the parts of the batch gave to compare.
        """

    @abstractmethod
    def evidence(self, history: Mapping[str, Float[Tensor, " t"]]) -> tuple[Evidence, ...]:
        """Return evidence of the game's health.

        Args:
            history: logged values by term, oldest first.
        """


def own_parameters(model: nn.Module, adversary: Adversary) -> Iterator[nn.Parameter]:
    """Yield the learned parameters of an autoencoder without those of its adversary.

    Args:
        model: the autoencoder, with the networks of its adversary.
        adversary: its adversary.
    """
    others = {id(p) for part in adversary.parts.values() for p in part.parameters()}
    return (p for p in model.parameters() if p.requires_grad and id(p) not in others)
