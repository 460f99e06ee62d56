r"""The VQ-VAE: an autoencoder whose latents are codes on a grid.

.. math:: L = -\log p(x \mid e(c)) + L_q(z), \qquad z = \text{encoder}(x), \quad c = \text{quantiser}(z),

with the losses :math:`L_q` of the quantiser (:mod:`ganvas.latents.codebooks`). Its gradient passes the quantiser
straight through.

Reference: van den Oord et al. 2017, equation 3, https://arxiv.org/abs/1711.00937. All terms are sums over pixels or
places, and means over images, in nats.

Samples of this model alone have independent codes, each as frequent as in training at its place. They show what the
decoder makes of codes that do not know of each other; :mod:`ganvas.models.code_prior` learns how they depend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import Tensor

from ganvas.latents import CodeFrequencies, Quantiser
from ganvas.latents.codebooks.usage import code_counts, perplexity, used_codes
from ganvas.models.accumulation import Shares, spans, sum_of
from ganvas.models.adversaries.alone import Alone
from ganvas.models.adversaries.base import Adversary, Compared, Made, own_parameters
from ganvas.models.base import OptimizerFactory
from ganvas.models.coded import STAGE, Coded, check_stage
from ganvas.models.parts import learned_scale
from ganvas.models.schedules import Schedule
from ganvas.objectives import Likelihood, ReconstructionLoss, fidelity
from ganvas.types import Batch, GridDecoder, GridEncoder

Seen = list[tuple[Tensor, Tensor]]
"""Vectors that came into the quantiser and their codes, for each part of a batch."""


@final
class VQVAE(Coded):
    """An autoencoder of codes.

    Args:
        encoder: maps examples to a grid of vectors.
        quantiser: maps the vectors to codes and back.
        decoder: maps the grid to the location of the likelihood.
        likelihood: Bernoulli, Gaussian (half the squared error, if its sigma is 1) or discretised logistic.
        frequency_decay: share of the codes' frequencies that a batch leaves as they are, in [0, 1).
        optimizer: makes the optimiser from all learned parameters.
        ema_halflife: half-life of the averaged weights, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; codebooks learn from the whole batch.
        adversary: the players beside the autoencoder, see :mod:`ganvas.models.adversaries.base`.
        critic_optimizer: arguments of ``optimizer`` that differ for the adversary's critic.

    Raises:
        ValueError: the parts do not fit each other.
    """

    learned_prior: Any  # CodeFrequencies

    def __init__(
        self,
        encoder: GridEncoder,
        quantiser: Quantiser,
        decoder: GridDecoder,
        likelihood: Likelihood | ReconstructionLoss,
        frequency_decay: float,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
        # What follows may be absent: runs that were recorded before it existed load as they are.
        adversary: Adversary = Alone(),  # noqa: B008  (a frozen value)
        critic_optimizer: Mapping[str, Any] | None = None,
    ) -> None:
        check_stage(encoder, quantiser, decoder)
        adversary.check(None, decoder.shape, decoder)
        frequencies = CodeFrequencies(quantiser.codes, quantiser.depth, *encoder.grid, frequency_decay)
        parts: dict[str, Any] = {"encoder": encoder, "quantiser": quantiser, "decoder": decoder, **adversary.parts}
        super().__init__(frequencies, parts, STAGE, ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.likelihood = likelihood
        self.log_scale = learned_scale(likelihood, decoder.shape)
        self._optimizer_factory = optimizer
        self.adversary = adversary
        self._stated = {"adversary": adversary}
        self._differences = {"critic": critic_optimizer or {}}

    @property
    def players(self) -> tuple[str, ...]:  # type: ignore[override]
        """The autoencoder, and the players of its adversary."""
        return ("vae", *self.adversary.players)

    @property
    def headline(self) -> tuple[str, ...]:  # type: ignore[override]
        """The terms of the autoencoder, and those of the adversary."""
        return ("reconstruction", "perplexity", *self.adversary.headline)

    @property
    def period(self) -> int:
        """Number of steps after which the turns of the adversary repeat."""
        return self.adversary.period

    @property
    def irregular(self) -> str:
        """An adversary that begins late."""
        return self.adversary.irregular

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for all learned parameters of the autoencoder, and those of the adversary."""
        make, own = self._optimizer_factory, own_parameters(self, self.adversary)
        return [make(own), *self.adversary.make_optimizers(make, self._differences, self.encoder)]

    def bearers(self) -> dict[str, Any]:
        """Return the adversary by name."""
        return self._stated

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update encoder and decoder once, then the codebook and the frequencies of its codes; then the adversary."""
        said: Shares = []
        seen: Seen = []
        compared: list[Compared] = []
        self.update("vae", self._losses(batch, said, seen, compared))
        z, codes = (self._of_all_processes(torch.cat(parts)) for parts in zip(*seen, strict=True))
        if all(parameter.requires_grad for parameter in self.quantiser.parameters()):  # else it is frozen
            self.quantiser.learn(z, codes)
        self.learned_prior.observe(codes)
        counts = code_counts(codes, self.quantiser.codes)
        use = {"perplexity": perplexity(counts).min(), "used_codes": used_codes(counts).min()}
        return {**sum_of(said), **use, **self.adversary.turns(self, compared)}

    def _losses(self, batch: Batch, said: Shares, seen: Seen, compared: list[Compared]) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            z = self.call(self.encoder, part.x, part.y)
            quantised = self.quantiser(z)
            location = self.call(self.decoder, quantised.z, part.y)
            reconstruction = fidelity(self.likelihood, part.x, location, self.log_scale).mean()
            losses = {name: term.mean() for name, term in quantised.terms.items()}
            total = sum(losses.values(), -reconstruction)
            named = {"total": total, "reconstruction": reconstruction, **losses}
            terms = {name: term.detach() for name, term in named.items()}
            made = Made(part, share, quantised.z, part.y, location, total, reconstruction, terms)
            joined = self.adversary.join(self, made)
            yield share * joined.loss
            said.append((share, joined.terms))
            compared += [] if joined.compared is None else [joined.compared]
            seen.append((z.detach(), quantised.codes))

    def _of_all_processes(self, part: Tensor) -> Tensor:
        """Gather what the processes of a distributed training have each, so that all learn the same."""
        if self.trainer.world_size == 1:
            return part
        gathered = self.all_gather(part)
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)
