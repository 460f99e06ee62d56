"""The base of the models whose objective reads draws of latents: variational autoencoders of one or several groups.

The objective is a bound on the evidence (:mod:`ganvas.objectives.bounds`), whose terms are sums over pixels and means
over images, in nats; or one that bounds none (:mod:`ganvas.objectives.autoencoding`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.health.evidence import Evidence
from ganvas.health.evidence import Posterior as PosteriorMoments
from ganvas.models.accumulation import Shares, spans, sum_of
from ganvas.models.adversaries.base import Adversary, Compared, Differences, Made, own_parameters
from ganvas.models.base import Model, OptimizerFactory
from ganvas.models.modes import evaluating
from ganvas.models.parts import learned_scale
from ganvas.models.sampling import SAMPLE_BATCH
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Draws, FromDraws, Likelihood, ReconstructionLoss, Terms
from ganvas.types import Batch, Grouped, Prior, ReadsEncoder, Shape

_BOUNDS: Final = ("elbo", "bound")
"""Terms that only a likelihood makes what they are called."""


class Variational(Model, ABC):
    """Abstract: a model with draws of latents and a likelihood; an adversary may play beside it.

    Without a likelihood, or with an objective that bounds no evidence, :meth:`evaluate` and :meth:`log_weights` are
    None: the model is then no :class:`~ganvas.types.BoundsEvidence`.

    Args:
        prior: distribution of the latents.
        parts: the networks by name, all averaged.
        likelihood: distribution of an example around what is decoded, or a loss in its place.
        objective: the objective, with its number of latent samples.
        shape: shape of one example.
        optimizer: makes the optimiser from all learned parameters.
        ema_halflife: half-life of the averaged weights, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        gradient_skip: L2 norm of the gradient above which an update is left out; None leaves none out.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; their gradients are added.
        adversary: the players beside the networks, see :mod:`ganvas.models.adversaries.base`.
        differences: arguments of ``optimizer`` that differ for a player of the adversary.

    Raises:
        ValueError: the objective reads no draws, or a number is out of range.
    """

    inferring: ClassVar[str]
    """Name of the network from examples to latents."""

    def __init__(
        self,
        prior: Prior | ReadsEncoder,
        parts: dict[str, nn.Module],
        likelihood: Likelihood | ReconstructionLoss,
        objective: FromDraws | AdversarialObjective,
        shape: Shape,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        gradient_skip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
        adversary: Adversary,
        differences: Differences,
    ) -> None:
        networks = {**parts, **adversary.parts}
        super().__init__(prior, networks, tuple(parts), ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.likelihood = likelihood
        self.objective = _from_draws(objective)
        self.adversary = adversary
        bounded = self.objective.bounds_evidence and adversary.keeps_bound
        if not bounded or isinstance(likelihood, ReconstructionLoss):
            # A method that is None counts as missing where isinstance compares an object with a protocol.
            self.evaluate = self.log_weights = None  # type: ignore[method-assign, assignment]
        self._stated: dict[str, Any] = {"objective": self.objective, "adversary": adversary}
        self.log_scale = learned_scale(likelihood, shape)
        self._optimizer_factory, self._differences = optimizer, differences
        self.gradient_skip = gradient_skip

    @property
    def players(self) -> tuple[str, ...]:  # type: ignore[override]
        """The autoencoder, and the players of its adversary."""
        return ("vae", *self.adversary.players)

    @property
    def headline(self) -> tuple[str, ...]:  # type: ignore[override]
        """The terms of the bound, and those of the adversary."""
        return ("elbo", "reconstruction", "kl", *self.adversary.headline)

    @abstractmethod
    def draws(self, batch: Batch, network: Callable[[str], Any], k: int) -> Draws:
        """Draw k latents for each example, by the networks of these names, and compute what objectives read."""

    @abstractmethod
    def moments(self, batch: Batch) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Compute mean and standard deviation of the posterior, with the averaged weights if there are any."""

    @property
    def period(self) -> int:
        """Number of steps after which the turns of the adversary repeat."""
        return self.adversary.period

    @property
    def irregular(self) -> str:
        """A bound above which an update is left out, or an adversary that begins late."""
        skips = "model.gradient_skip decides at each update whether it is made"
        return self.adversary.irregular if self.gradient_skip is None else skips

    @final
    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for all learned parameters of the autoencoder, and those of the adversary."""
        make, encoder = self._optimizer_factory, self.get_submodule(self.inferring)
        own = make(own_parameters(self, self.adversary))
        return [own, *self.adversary.make_optimizers(make, self._differences, encoder)]

    @final
    def bearers(self) -> dict[str, Any]:
        """Return objective and adversary by name."""
        return self._stated

    @final
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the autoencoder once; then the adversary has its turns."""
        said: Shares = []
        compared: list[Compared] = []
        made = self.update("vae", self._losses(batch, said, compared), skip_above=self.gradient_skip)
        skipped = {} if self.gradient_skip is None else {"skipped_updates": batch.x.new_tensor(float(not made))}
        return {**sum_of(said), **skipped, **self.adversary.turns(self, compared)}

    def _losses(self, batch: Batch, said: Shares, compared: list[Compared]) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            joined = self.adversary.join(self, self._made(part, share))
            yield share * joined.loss
            said.append((share, joined.terms))
            compared += [] if joined.compared is None else [joined.compared]

    def _made(self, part: Batch, share: float) -> Made:
        draws = self.draws(part, self.trained, k := self.objective.samples)
        terms, y = self.objective(draws), None if part.y is None else part.y.repeat(k)
        z, location = draws.z.flatten(0, 1), draws.of_location().flatten(0, 1)
        named = {**self._named(terms), **draws.kl_by_group()}
        return Made(part, share, z, y, location, terms.total, draws.log_px_z.mean(), named)

    def _named(self, terms: Terms) -> dict[str, Tensor]:
        """Name the terms; with a loss in the place of a likelihood, nothing is called a bound."""
        hidden = () if isinstance(self.likelihood, Likelihood) else _BOUNDS
        return {name: term for name, term in terms.named().items() if name not in hidden}

    @property
    @final
    def evidence_space(self) -> str:
        """Space of the probabilities of examples, as the likelihood states it, and whether classes are given."""
        space = cast(Likelihood, self.likelihood).space
        return space if self.classes is None else f"{space}, given the class"

    def evaluate(self, batch: Batch) -> Terms:
        """Compute the objective's terms in nats, with the averaged weights if there are any."""
        with torch.no_grad(), evaluating(self):
            return self.objective(self.draws(batch, self.part, self.objective.samples))

    def log_weights(self, batch: Batch, k: int) -> Float[Tensor, "k n"]:
        r"""Compute log importance weights of new draws from the posterior, with the averaged weights if there are any.

        .. math:: \log w_i = \log p(x \mid z_i) + \log p(z_i) - \log q(z_i \mid x), \qquad z_i \sim q(z \mid x)

        Reference: Burda et al. 2016, equation 8, https://arxiv.org/abs/1509.00519.

        Args:
            batch: examples, on the device of the model.
            k: draws for each example, at least 1.

        Returns:
            Nats.
        """
        with torch.no_grad(), evaluating(self):
            return self.draws(batch, self.part, k).log_w

    @final
    def posterior_moments(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        """Yield means and standard deviations of the posterior for each batch, see :meth:`moments`.

        Args:
            batches: examples, on any device.
        """
        return (self.moments(batch.to(self.device)) for batch in batches)

    @final
    def own_evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """Return the posterior's moments for held-out (else training) examples, and the evidence of the adversary."""
        looked_at = train if held_out is None else held_out
        locs, scales = zip(*self.posterior_moments(looked_at.split(SAMPLE_BATCH)), strict=True)
        groups = self.groups if isinstance(self, Grouped) else None
        posterior = PosteriorMoments(torch.cat(locs), torch.cat(scales), cast(Prior, self.prior), groups)
        return (posterior, *self.adversary.evidence(history))


def _from_draws(objective: FromDraws | AdversarialObjective) -> FromDraws:
    if not isinstance(objective, FromDraws):
        raise ValueError(
            f"VAE needs an objective of draws of its latents, got {type(objective).__name__}; "
            "write objective=elbo, beta_elbo or iwae"
        )
    return objective
