r"""The alternation that GAN and WGAN share: ``n_critic`` critic updates for each generator update.

A batch of real examples makes one critic update; every ``n_critic``-th batch also makes one generator update, on the
fakes that the critic has just been shown, scored anew by the updated critic. One forward pass of the generator serves
both, as in the DCGAN programs in common use, and saves a third of the generator's work; Algorithm 1 of Goodfellow et
al. 2014, https://arxiv.org/abs/1406.2661, draws fresh latents for the generator. The discriminator is called the critic
throughout.

``simultaneous`` updates take both gradients at the same weights, as the programs of the first GAN papers do: the
generator's turn then comes first, against the critic as it is, and the critic learns from the fakes made before it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import InputGradients
from ganvas.models.base import Model, OptimizerFactory, frozen
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint
from ganvas.types import Batch, Critic, Generator, Prior, Shape

EVIDENCE_BATCH = 100
"""Examples in one pass of the critic for a health check: with gradients it holds the graph of all of them."""


class Adversarial(Model):
    """Base of :class:`GAN` and :class:`WGAN`.

    Args:
        prior: distribution of the latents.
        generator: latents to examples.
        critic: examples to scores (logits, for a GAN).
        objective: losses of critic and generator, from scores; which, the family says in :meth:`check`.
        constraint: what is asked of the critic besides its loss; which, the family says.
        n_critic: critic updates for each generator update; >= 1.
        simultaneous: whether a generator update is against the critic before its own update rather than after it.
        generator_optimizer: called with the generator's parameters.
        critic_optimizer: called with the critic's parameters.
        ema_halflife: memory of the averaged generator in images; None keeps no average.
        gradient_clip: largest L2 norm of either network's gradient; None clips nothing.
        schedule: factor on both learning rates by images seen.

    Raises:
        ValueError: the parts do not fit each other.
    """

    # Each is an nn.Module as well as what its name promises, which Python's types cannot say together.
    generator: Any
    critic: Any
    players: ClassVar[tuple[str, ...]] = ("generator", "critic")

    def __init__(
        self,
        prior: Prior,
        generator: Generator,
        critic: Critic,
        objective: AdversarialObjective,
        constraint: Constraint,
        n_critic: int,
        simultaneous: bool,
        generator_optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
    ) -> None:
        self.check(objective, constraint)
        _check(prior, generator, critic, n_critic)
        parts: dict[str, Any] = {"generator": generator, "critic": critic}
        constraint.prepare(parts["critic"])
        super().__init__(prior, parts, ("generator",), ema_halflife, gradient_clip, schedule)
        self.objective = objective
        self.constraint = constraint
        self.n_critic = n_critic
        self.simultaneous = simultaneous
        self._optimizer_factories = (generator_optimizer, critic_optimizer)

    @staticmethod
    @abstractmethod
    def check(objective: AdversarialObjective, constraint: Constraint) -> None:
        """Refuse an objective or a constraint that does not belong to the family."""

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.generator.shape

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Lightning's hook: the generator's optimiser, then the critic's."""
        generators, critics = self._optimizer_factories
        return [generators(self.generator.parameters()), critics(self.critic.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One critic update and, every ``n_critic``-th time, one generator update."""
        x = batch.x
        generators_turn = (self.updates + 1) % self.n_critic == 0
        with torch.set_grad_enabled(generators_turn):
            fake = self.generator(self.prior.sample(x.shape[0], device=self.device))
        turns = [lambda: self._update_critic(x, fake.detach())]
        if generators_turn:
            turns.insert(0 if self.simultaneous else 1, lambda: self._update_generator(fake))
        return {**self.terms, **{name: term for turn in turns for name, term in turn().items()}}

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        """Latents to examples in [-1, 1]."""
        return self.part("generator")(z)

    def _update_critic(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        terms = self.objective.critic_terms(self.critic(real), self.critic(fake))
        penalty = self.constraint.penalty(self.critic, real, fake)
        self.update("critic", terms.total if penalty is None else terms.total + penalty)
        self.constraint.project(self.critic)
        named = {f"critic/{name}": value for name, value in terms.named().items()}
        return named if penalty is None else named | {"critic/penalty": penalty.detach()}

    def _update_generator(self, fake: Tensor) -> dict[str, Tensor]:
        with frozen(self.critic):
            terms = self.objective.generator_terms(self.critic(fake))
            self.update("generator", terms.total)
        return {f"generator/{name}": value for name, value in terms.named().items()}

    def _scores(self, x: Tensor) -> Tensor:
        """The critic's scores of what fills its packs, without a graph."""
        with torch.no_grad():
            return torch.cat([self.critic(chunk) for chunk in self._chunks(x)])

    def _input_gradients(self, real: Tensor) -> tuple[InputGradients, ...]:
        """What the constraint shows of the critic's gradient, if it asks anything of it."""
        fake = self._fakes(len(real))
        parts = [
            self.constraint.input_gradients(self.critic, *pair)
            for pair in zip(self._chunks(real), self._chunks(fake), strict=True)
        ]
        found = [part for part in parts if part is not None]
        return (replace(found[0], norms=torch.cat([part.norms for part in found])),) if found else ()

    def _fakes(self, n: int) -> Tensor:
        """What the critic is trained against: by the raw weights, not the averaged ones."""
        with torch.no_grad():
            z = self.prior.sample(n, device=self.device)
            return torch.cat([self.generator(chunk) for chunk in z.split(EVIDENCE_BATCH)])

    def _chunks(self, x: Tensor) -> Iterator[Tensor]:
        pack = getattr(self.critic, "pack", 1)
        yield from x[: len(x) - len(x) % pack].split(EVIDENCE_BATCH * pack)


def _check(prior: Prior, generator: Generator, critic: Critic, n_critic: int) -> None:
    if generator.latent_dim != prior.dim:
        raise ValueError(
            f"generator takes latents of {generator.latent_dim} dimensions, the prior draws {prior.dim}; "
            "write network.generator.latent_dim=${prior.dim}"
        )
    if tuple(generator.shape) != tuple(critic.shape):
        raise ValueError(
            f"generator makes examples of shape {tuple(generator.shape)}, the critic takes {tuple(critic.shape)}; "
            "give both the shape of the data"
        )
    if n_critic < 1:
        raise ValueError(f"n_critic={n_critic} must be >= 1: critic updates for each generator update")
