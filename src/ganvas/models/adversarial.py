r"""The base of GAN and WGAN: ``n_critic`` critic updates for each generator update.

Each batch of real examples gives one critic update. Every ``n_critic``-th batch also gives one generator update, with
the generated examples of the critic update, scored again by the updated critic. One forward pass of the generator
serves both updates, as in common DCGAN programs, which saves a third of the generator's work; Algorithm 1 of Goodfellow
et al. 2014, https://arxiv.org/abs/1406.2661, draws new latents for the generator update. A GAN's discriminator is
called the critic too.

With ``simultaneous`` updates both gradients are taken at the same weights, as in the programs of the first GAN papers:
the generator is updated first, against the critic before its update, and the critic is then updated on examples that
were generated before the generator's update.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.health.evidence import InputGradients, PrivacyLoss
from ganvas.models.base import Model, OptimizerFactory
from ganvas.models.modes import frozen
from ganvas.models.parts import require_part
from ganvas.models.private import PrivateGradients, private_part
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Constraint
from ganvas.types import Batch, Critic, Generator, Prior, Shape

EVIDENCE_BATCH = 100
"""Largest number of scores in one pass of a health check, since gradients keep the graph of the pass in memory."""


class Adversarial(Model):
    """Base of :class:`GAN` and :class:`WGAN`.

    Args:
        prior: distribution of the latents.
        generator: maps latents to examples.
        critic: maps examples to scores (logits, for a GAN).
        objective: losses of critic and generator; :meth:`check` says which ones the model accepts.
        constraint: constraint on the critic; :meth:`check` says which ones the model accepts.
        n_critic: critic updates for each generator update, at least 1.
        simultaneous: whether the generator is updated against the critic before its update instead of after it.
        optimizer: makes an optimiser from a network's parameters.
        generator_optimizer: arguments of ``optimizer`` that differ for the generator.
        critic_optimizer: arguments of ``optimizer`` that differ for the critic.
        ema_halflife: half-life of the averaged generator weights, images; None keeps no average.
        gradient_clip: largest L2 norm of either network's gradient; None clips nothing.
        schedule: schedule of both learning rates.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.

    Raises:
        ValueError: the parts do not fit each other.
    """

    # Each is an nn.Module and a Generator or Critic; Python has no type for the intersection of both.
    generator: Any
    critic: Any
    decoding: ClassVar[str] = "generator"
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
        optimizer: OptimizerFactory,
        generator_optimizer: Mapping[str, Any],
        critic_optimizer: Mapping[str, Any],
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
    ) -> None:
        self.check(objective, constraint)
        _check(prior, generator, critic, n_critic)
        parts: dict[str, Any] = {"generator": generator, "critic": critic}
        constraint.prepare(parts["critic"])
        super().__init__(prior, parts, ("generator",), ema_halflife, gradient_clip, schedule, schedules)
        self.objective = objective
        self.constraint = constraint
        self._stated = {"objective": objective, "constraint": constraint}
        self._private = private_part(parts["critic"], objective, constraint, gradient_clip)
        self._gradients: PrivateGradients | None = None
        self.n_critic = n_critic
        self.simultaneous = simultaneous
        self._make_optimizer = optimizer
        self._differences = (generator_optimizer, critic_optimizer)

    @staticmethod
    @abstractmethod
    def check(objective: AdversarialObjective, constraint: Constraint) -> None:
        """Raise a ValueError for an objective or a constraint that the model does not accept."""

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.generator.shape

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make the generator's optimiser and the critic's, in this order."""
        networks = zip((self.generator, self.critic), self._differences, strict=True)
        return [self._make_optimizer(network.parameters(), **differences) for network, differences in networks]

    def bearers(self) -> dict[str, Any]:
        """Return objective and constraint by name."""
        return self._stated

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the critic and, every ``n_critic``-th time, the generator; classes are those of the batch."""
        generators_turn = (self.updates + 1) % self.n_critic == 0
        with torch.set_grad_enabled(generators_turn):
            fake = self.call(self.generator, self.prior.sample(len(batch), device=self.device), batch.y)
        score = self._score(batch.y)
        turns = [lambda: self._update_critic(score, batch.x, fake.detach())]
        if generators_turn:
            turns.insert(0 if self.simultaneous else 1, lambda: self._update_generator(score, batch.x, fake))
        return {**self.terms, **{name: term for turn in turns for name, term in turn().items()}}

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        """Generate examples in [-1, 1] from latents, and from classes if the generator is conditional."""
        return self.call(self.part("generator"), z, y)

    def _score(self, y: Int64[Tensor, " n"] | None) -> Callable[[Tensor], Tensor]:
        """Return the critic as a function from examples of the given classes to scores."""
        return lambda x: self.call(self.critic, x, y)

    def _update_critic(self, score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        private = self._private_gradients()
        if private is not None:
            private.watch()
        terms = self.objective.critic_terms(score(real), score(fake))
        penalty = self.constraint.penalty(score, real, fake, self.updates)
        loss = terms.total if penalty is None else terms.total + penalty
        self.update("critic", loss, None if private is None else private.replace)
        self.constraint.project(self.critic)
        named = {f"critic/{name}": value for name, value in terms.named().items()}
        return named if penalty is None else named | {"critic/penalty": penalty.detach()}

    def _private_gradients(self) -> PrivateGradients | None:
        """Return what makes the critic's gradients private; None if the constraint does not ask for it."""
        if self._private is not None and self._gradients is None:  # now that the critic is on its device
            scale = self._loss_scale()
            self._gradients = PrivateGradients(self.critic, self._private, self.trainer.world_size, scale)
        return self._gradients

    def _privacy(self) -> tuple[PrivacyLoss, ...]:
        """Compute what the updates so far may have told of a single training example; empty without privacy."""
        if self._private is None or not self.updates or not self.n_train:
            return ()
        share = min(1.0, self.images_seen / self.updates / self.n_train)
        epsilon = self._private.epsilon(self.updates, share)
        return (PrivacyLoss(epsilon, self._private.delta, self._private.noise, self.updates, share),)

    def _update_generator(self, score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        with frozen(self.critic):
            terms = self.objective.generator_terms(score(fake), score(real) if self.objective.paired else None)
            self.update("generator", terms.total)
        return {f"generator/{name}": value for name, value in terms.named().items()}

    def _scores(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Compute scores without a graph; examples that do not fill a pack are left out."""
        with torch.no_grad():
            return torch.cat([self._score(labels)(chunk) for chunk, labels in self._chunks(x, y)])

    def _input_gradients(self, real: Batch) -> tuple[InputGradients, ...]:
        """Compute the gradient norms that the constraint compares with its target; empty if it has no target norm."""
        pairs = zip(self._chunks(real.x, real.y), self._chunks(self._fakes(real), None), strict=True)
        parts = [self.constraint.input_gradients(self._score(y), x, fake) for (x, y), (fake, _) in pairs]
        found = [part for part in parts if part is not None]
        if not found:
            return ()
        return (InputGradients(torch.cat([part.norms for part in found]), found[0].target, found[0].one_sided),)

    def _fakes(self, like: Batch) -> Tensor:
        """Generate examples with the raw weights, as the critic sees them in training, with the classes of ``like``."""
        with torch.no_grad():
            z = self.prior.sample(len(like), device=self.device)
            labels = _labels(like.y, EVIDENCE_BATCH)
            chunks = zip(z.split(EVIDENCE_BATCH), labels, strict=False)
            return torch.cat([self.call(self.generator, chunk, y) for chunk, y in chunks])

    def _chunks(self, x: Tensor, y: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        size, whole = EVIDENCE_BATCH * self.pack, len(x) - len(x) % self.pack
        yield from zip(x[:whole].split(size), _labels(y if y is None else y[:whole], size), strict=False)


def _labels(y: Tensor | None, size: int) -> Iterator[Tensor | None]:
    """Yield classes in chunks; None without end if there are no classes."""
    return repeat(None) if y is None else iter(y.split(size))


def _check(prior: Prior, generator: Generator, critic: Critic, n_critic: int) -> None:
    require_part("generator", generator, "latent_dim", "shape")
    require_part("critic", critic, "shape")
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
