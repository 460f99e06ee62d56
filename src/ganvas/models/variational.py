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
    """Abstract: a model with draws of latents, a likelihood, and one optimiser.

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

    Raises:
        ValueError: the objective reads no draws, or a number is out of range.
    """

    headline = ("elbo", "reconstruction", "kl")
    players: ClassVar[tuple[str, ...]] = ("vae",)

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
    ) -> None:
        super().__init__(prior, parts, tuple(parts), ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.likelihood = likelihood
        self.objective = _from_draws(objective)
        if not self.objective.bounds_evidence or isinstance(likelihood, ReconstructionLoss):
            # A method that is None counts as missing where isinstance compares an object with a protocol.
            self.evaluate = self.log_weights = None  # type: ignore[method-assign, assignment]
        self._stated = {"objective": self.objective}
        self.log_scale = learned_scale(likelihood, shape)
        self._optimizer_factory = optimizer
        self.gradient_skip = gradient_skip

    @abstractmethod
    def draws(self, batch: Batch, network: Callable[[str], Any], k: int) -> Draws:
        """Draw k latents for each example, by the networks of these names, and compute what objectives read."""

    @abstractmethod
    def moments(self, batch: Batch) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Compute mean and standard deviation of the posterior, with the averaged weights if there are any."""

    @final
    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for all learned parameters."""
        return [self._optimizer_factory(p for p in self.parameters() if p.requires_grad)]

    @final
    def bearers(self) -> dict[str, Any]:
        """Return the objective by name."""
        return self._stated

    @final
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update all networks once."""
        said: Shares = []
        made = self.update("vae", self._losses(batch, said), skip_above=self.gradient_skip)
        skipped = {} if self.gradient_skip is None else {"skipped_updates": batch.x.new_tensor(float(not made))}
        return {**sum_of(said), **skipped}

    def _losses(self, batch: Batch, said: Shares) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            total, named = self._terms(part)
            yield share * total
            said.append((share, named))

    def _terms(self, part: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        draws = self.draws(part, self.trained, self.objective.samples)
        terms = self.objective(draws)
        return terms.total, {**self._named(terms), **draws.kl_by_group()}

    def _named(self, terms: Terms) -> dict[str, Tensor]:
        """Name the terms; with a loss in the place of a likelihood, nothing is called a bound."""
        hidden = () if isinstance(self.likelihood, Likelihood) else _BOUNDS
        return {name: term for name, term in terms.named().items() if name not in hidden}

    @property
    @final
    def evidence_space(self) -> str:
        """Space of the probabilities of examples, as the likelihood states it."""
        return cast(Likelihood, self.likelihood).space

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
        """Return the posterior's moments for held-out examples, or for training examples if none are held out."""
        looked_at = train if held_out is None else held_out
        locs, scales = zip(*self.posterior_moments(looked_at.split(SAMPLE_BATCH)), strict=True)
        groups = self.groups if isinstance(self, Grouped) else None
        return (PosteriorMoments(torch.cat(locs), torch.cat(scales), cast(Prior, self.prior), groups),)


def _from_draws(objective: FromDraws | AdversarialObjective) -> FromDraws:
    if not isinstance(objective, FromDraws):
        raise ValueError(
            f"VAE needs an objective of draws of its latents, got {type(objective).__name__}; "
            "write objective=elbo, beta_elbo or iwae"
        )
    return objective
