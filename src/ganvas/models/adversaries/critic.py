"""The base of adversaries with one critic, which plays by the objectives and constraints of a GAN."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.health.evidence import Evidence
from ganvas.models.accumulation import Shares, sum_of
from ganvas.models.adversaries.base import Adversary, Autoencoder, Compared, Differences
from ganvas.models.looking import recent_loss
from ganvas.models.parts import require_part
from ganvas.objectives import DPSGD, Constraint, Divergence, Judge, Terms, every
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.types import Judged


@dataclass(frozen=True, eq=False)
class CriticAdversary(Adversary):
    """Abstract: an adversary with one critic.

    Args:
        critic: maps what it compares to scores.
        objective: losses of critic and autoencoder.
        constraint: constraint on the critic.

    Raises:
        ValueError: the objective needs a Lipschitz constraint, or the constraint promises privacy.
    """

    critic: Any  # an nn.Module and a Critic; Python has no type for the intersection of both
    objective: AdversarialObjective
    constraint: Constraint
    headline: ClassVar[tuple[str, ...]] = ("critic/total", "adversary/total")
    keeps_bound: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_part("critic", self.critic, "shape")
        _check_game(self.objective, self.constraint)
        self.constraint.prepare(self.critic)

    @property
    def period(self) -> int:
        """Number of turns after which the lazy terms of the critic's loss repeat."""
        return math.lcm(*(every(part) for part in self.constraint.flat()))

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The critic."""
        return {"critic": self.critic}

    def critic_optimizer(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences
    ) -> torch.optim.Optimizer:
        """Make the critic's optimiser.

        Args:
            make: makes an optimiser from parameters.
            differences: arguments of ``make`` that differ, by player.
        """
        return make(self.critic.parameters(), **differences["critic"])

    def critic_turn(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update the critic, and return its terms.

        Args:
            model: the autoencoder.
            compared: what the parts of the batch gave to compare, at least one.
        """
        said: Shares = []
        model.update("critic", self._critic_losses(model, compared, said))
        self.constraint.project(self.critic)
        return {f"critic/{name}": value for name, value in sum_of(said).items()}

    def evidence(self, history: Mapping[str, Float[Tensor, " t"]]) -> tuple[Evidence, ...]:
        """Return the critic's recent loss, if its objective is a divergence."""
        return recent_loss(self.objective, history)

    @abstractmethod
    def look(self, model: Autoencoder, x: Tensor, y: Int64[Tensor, " n"] | None) -> Judged:
        """Ask the critic of examples or latents.

        Args:
            model: the autoencoder.
            x: what the critic takes.
            y: class of each; None without classes.
        """

    def judge(self, model: Autoencoder, y: Int64[Tensor, " n"] | None) -> Judge:
        """Return the critic as objectives and constraints see it.

        Args:
            model: the autoencoder.
            y: class of each example or latent; None without classes.
        """
        return Judge(self.critic, lambda x: self.look(model, x, y))

    def against(self, judge: Judge, made: Tensor, wanted: Tensor) -> Terms:
        """Compute the loss of who made it, by a critic that does not learn: call it inside ``frozen``.

        Args:
            judge: the critic.
            made: what was made, with its graph.
            wanted: what the critic takes for real, read by paired objectives only.
        """
        return self.objective.generator_terms(judge(made), judge(wanted) if self.objective.paired else None)

    def _critic_losses(self, model: Autoencoder, compared: Sequence[Compared], said: Shares) -> Iterator[Tensor]:
        for pair in compared:
            judge = self.judge(model, pair.y)
            terms = self.objective.critic_terms(judge(pair.wanted), judge(pair.made))
            penalty = self.constraint.penalty(judge, pair.wanted, pair.made, model.updates)
            yield pair.share * (terms.total if penalty is None else terms.total + penalty)
            logged = {} if penalty is None else {"penalty": penalty.detach()}
            said.append((pair.share, {**terms.named(), **logged}))


def _check_game(objective: object, constraint: Constraint) -> None:
    if not isinstance(objective, AdversarialObjective):
        raise ValueError(
            f"adversary: {type(objective).__name__} is no loss of a critic; write objective=non_saturating, or hinge"
        )
    if not isinstance(objective, Divergence) and not constraint.lipschitz:
        raise ValueError(
            f"adversary: {type(objective).__name__} needs a Lipschitz constraint on the critic, got "
            f"{' and '.join(type(part).__name__ for part in constraint.flat())}; write constraint=gradient_penalty"
        )
    if any(isinstance(part, DPSGD) for part in constraint.flat()):
        raise ValueError(
            "adversary: constraint=dp_sgd makes the critic private, and the encoder reads the examples too; write "
            "constraint=none"
        )
