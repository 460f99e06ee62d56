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

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.func import functional_call

from ganvas.augment import Augmentation, Unaugmented
from ganvas.health.evidence import PrivacyLoss
from ganvas.models.accumulation import Shares, require_parts, spans, sum_of
from ganvas.models.base import Model, OptimizerFactory
from ganvas.models.matching import check_parts
from ganvas.models.modes import frozen
from ganvas.models.private import PrivateGradients, private_part
from ganvas.models.schedules import Schedule
from ganvas.models.unrolling import Weights, check_unrolling, unrolled
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Auxiliary, Constraint, Judge, NoAuxiliary, Regulariser, Scene, Unregularised, every
from ganvas.types import Batch, Critic, Generator, Judged, Prior, Shape


@final
@dataclass(frozen=True, eq=False)
class Deal:
    """A part of a batch, as the players see it in a turn.

    Args:
        share: share of the batch's examples that are in this part.
        x: real examples.
        y: class of each real and of each generated example; None without classes.
        z: latents.
        fake: examples generated from the latents.
    """

    share: float
    x: Float[Tensor, " n *shape"]
    y: Int64[Tensor, " m"] | None
    z: Float[Tensor, "m d"]
    fake: Float[Tensor, " m *shape"]


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
        accumulate: number of parts in which a batch is worked through; their gradients are added.
        auxiliary: terms that read more of the critic than its scores.
        generator_batch: number of new examples that the generator is updated on; None takes those of the critic's turn.
        unroll: steps of the critic that the generator looks ahead, see :mod:`ganvas.models.unrolling`.
        augment: what is done to real and generated examples before the critic sees them.
        regulariser: term of the generator's loss that does not come from the critic.

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
        # What follows may be absent: runs that were recorded before it existed load as they are.
        accumulate: int = 1,
        auxiliary: Auxiliary = NoAuxiliary(),  # noqa: B008  (a frozen value)
        generator_batch: int | None = None,
        unroll: int = 0,
        augment: Augmentation = Unaugmented(),  # noqa: B008
        regulariser: Regulariser = Unregularised(),  # noqa: B008
    ) -> None:
        self.check(objective, constraint)
        check_parts(prior, generator, critic, auxiliary, objective, n_critic, generator_batch, augment)
        check_unrolling(unroll, constraint, auxiliary)
        parts: dict[str, Any] = {"generator": generator, "critic": critic}
        constraint.prepare(parts["critic"])
        regulariser.prepare(parts["generator"])
        super().__init__(prior, parts, ("generator",), ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.objective = objective
        self.constraint = constraint
        self.auxiliary = auxiliary
        self.augment = augment
        self.strength = augment.strength()
        self.regulariser = regulariser
        self._stated = {
            "objective": objective,
            "constraint": constraint,
            "auxiliary": auxiliary,
            "regulariser": regulariser,
            **({"augment": augment} if self.strength is None else {}),  # else the scores move its p
        }
        self._private = private_part(
            parts["critic"], objective, constraint, auxiliary, augment, gradient_clip, accumulate
        )
        self._gradients: PrivateGradients | None = None
        self.n_critic = n_critic
        self.simultaneous = simultaneous
        if generator_batch is not None:
            require_parts("model.generator_batch", generator_batch, accumulate, self.pack)
        self.generator_batch = generator_batch
        self.unroll = unroll
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

    @property
    def period(self) -> int:
        """Number of steps after which the generator's turns and the lazy terms of both losses repeat."""
        turns = self.n_critic * every(self.regulariser)
        return math.lcm(turns, *(every(part) for part in self.constraint.flat()))

    @property
    def irregular(self) -> str:
        """A promise of privacy, whose noise has a generator of its own."""
        return "" if self._private is None else "constraint=dp_sgd has a gradient for each example"

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make the generator's optimiser and the critic's, in this order."""
        networks = zip((self.generator, self.critic), self._differences, strict=True)
        return [self._make_optimizer(network.parameters(), **differences) for network, differences in networks]

    def bearers(self) -> dict[str, Any]:
        """Return the parts of the losses by name."""
        return self._stated

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the critic and, every ``n_critic``-th time, the generator; classes are those of the batch."""
        generators_turn = (self.updates + 1) % self.n_critic == 0
        one_graph = generators_turn and self.accumulate == 1 and self.generator_batch is None
        with torch.set_grad_enabled(one_graph):
            deals = list(self._deals(batch.x, batch.y, self.prior.sample(len(batch), device=self.device)))
        turns = [lambda: self._update_critic(deals)]
        if generators_turn:
            generated = deals if one_graph else self._deal_again(batch, deals)
            turns.insert(0 if self.simultaneous else 1, lambda: self._update_generator(generated))
        return {**self.terms, **{name: term for turn in turns for name, term in turn().items()}}

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        """Generate examples in [-1, 1] from latents, and from classes if the generator is conditional."""
        return self.call(self.part("generator"), z, y)

    def judge(self, y: Int64[Tensor, " n"] | None, weights: Weights | None = None) -> Judge:
        """Return the critic as a function from examples of the given classes to scores.

        Args:
            y: class of each example; None without classes.
            weights: the critic's weights by name, if they are not its own.
        """
        if weights is not None:
            arguments = (y,) if self.conditional(self.critic) else ()
            look = lambda x: Judged(functional_call(self.critic, weights, (x, *arguments)))  # noqa: E731
        elif self.auxiliary.recognised is not None:
            look = lambda x: self.critic.read(x, y)  # noqa: E731
        else:
            look = lambda x: Judged(self.call(self.critic, x, y))  # noqa: E731
        p = self.augment.p if self.strength is None else self.strength.p
        return Judge(self.critic, lambda x: look(self.augment(x, p)))

    def _deals(self, x: Tensor, y: Tensor | None, z: Tensor) -> Iterator[Deal]:
        """Generate an example from each latent, in ``accumulate`` parts."""
        for part in spans(len(z), self.accumulate):
            latents, labels = z[part], None if y is None else y[part]
            yield Deal(len(latents) / len(z), x[part], labels, latents, self.call(self.generator, latents, labels))

    def _deal_again(self, batch: Batch, deals: Iterable[Deal]) -> Iterator[Deal]:
        """Generate the examples of the generator's turn, one part after the other; only one graph is in memory."""
        n = self.generator_batch
        if n is None:
            yield from (replace(deal, fake=self.call(self.generator, deal.z, deal.y)) for deal in deals)
        else:
            y = None if self.classes is None else torch.multinomial(self.label_marginal, n, replacement=True)
            yield from self._deals(batch.x, y, self.prior.sample(n, device=self.device))

    def _update_critic(self, deals: Sequence[Deal]) -> dict[str, Tensor]:
        private = self._private_gradients()
        if private is not None:
            private.watch()
        said: Shares = []
        self.update("critic", self._critic_losses(deals, said), None if private is None else private.replace)
        self.constraint.project(self.critic)
        moved = {} if self.strength is None else {"augment/p": self.strength.p.clone()}
        return {**{f"critic/{name}": value for name, value in sum_of(said).items()}, **moved}

    def _critic_losses(self, deals: Sequence[Deal], said: Shares) -> Iterator[Tensor]:
        real = []
        for deal in deals:
            judge, fake = self.judge(deal.y), deal.fake.detach()
            terms = self.objective.critic_terms(judge(deal.x), judge(fake))
            scene = Scene(judge.judged(deal.x), judge.judged(fake), deal.y, deal.z)
            added = {
                "penalty": self.constraint.penalty(judge, deal.x, fake, self.updates),
                "auxiliary": self.auxiliary.critic_term(scene),
            }
            yield _total(terms.total, added, deal.share)
            said.append((deal.share, {**terms.named(), **_logged(added)}))
            real.append(judge(deal.x).detach())
        if self.strength is not None:  # once a batch: p follows updates, not their parts
            images = sum(len(deal.x) for deal in deals)
            self.strength.observe(torch.cat(real), images * self.trainer.world_size)

    def _update_generator(self, deals: Iterable[Deal]) -> dict[str, Tensor]:
        said: Shares = []
        with frozen(self.critic):
            self.update("generator", self._generator_losses(deals, said))
        return {f"generator/{name}": value for name, value in sum_of(said).items()}

    def _generator_losses(self, deals: Iterable[Deal], said: Shares) -> Iterator[Tensor]:
        for deal in deals:
            judge = self.judge(deal.y, self._look_ahead(deal) if self.unroll else None)
            compared = judge(deal.x) if self.objective.paired or self.unroll else None
            terms = self.objective.generator_terms(judge(deal.fake), compared)
            real = judge.judged(deal.x) if self.auxiliary.paired else None
            scene = Scene(real, judge.judged(deal.fake), deal.y, deal.z)
            update = self.updates // self.n_critic
            added = {
                "auxiliary": self.auxiliary.generator_term(scene),
                "regulariser": self.regulariser.penalty(self.generator, deal.z, deal.y, update),
            }
            yield _total(terms.total, added, deal.share)
            said.append((deal.share, {**terms.named(), **_logged(added)}))

    def _look_ahead(self, deal: Deal) -> Weights:
        """Compute the critic's weights after some more steps, as a function of the generated examples."""

        def loss(weights: Weights) -> Tensor:
            judge = self.judge(deal.y, weights)
            return self.objective.critic_terms(judge(deal.x), judge(deal.fake)).total

        return unrolled(self.critic, loss, self.trainer.optimizers[self.players.index("critic")], self.unroll)

    def _private_gradients(self) -> PrivateGradients | None:
        """Return what makes the critic's gradients private; None if the constraint does not ask for it."""
        if self._private is not None and self._gradients is None:  # now that the critic is on its device
            scale = self._loss_scale()
            self._gradients = PrivateGradients(self.critic, self._private, self.trainer.world_size, scale)
        return self._gradients

    def privacy(self) -> tuple[PrivacyLoss, ...]:
        """Compute what the updates so far may have told of a single training example; empty without privacy."""
        if self._private is None or not self.updates or not self.n_train:
            return ()
        share = min(1.0, self.images_seen / self.updates / self.n_train)
        epsilon = self._private.epsilon(self.updates, share)
        return (PrivacyLoss(epsilon, self._private.delta, self._private.noise, self.updates, share),)


def _total(loss: Tensor, added: Mapping[str, Tensor | None], share: float) -> Tensor:
    """Add the terms that there are, and weigh the sum by the part's share of the batch."""
    return share * sum((term for term in added.values() if term is not None), start=loss)


def _logged(added: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in added.items() if term is not None}
