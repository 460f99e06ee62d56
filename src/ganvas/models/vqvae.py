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
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from ganvas.latents import CodeFrequencies, Quantiser
from ganvas.latents.codebooks.usage import code_counts, perplexity, used_codes
from ganvas.models.accumulation import Shares, spans, sum_of
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

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("reconstruction", "perplexity")
    players: ClassVar[tuple[str, ...]] = ("vae",)
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
    ) -> None:
        check_stage(encoder, quantiser, decoder)
        frequencies = CodeFrequencies(quantiser.codes, quantiser.depth, *encoder.grid, frequency_decay)
        parts: dict[str, Any] = {"encoder": encoder, "quantiser": quantiser, "decoder": decoder}
        super().__init__(frequencies, parts, STAGE, ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.likelihood = likelihood
        self.log_scale = learned_scale(likelihood, decoder.shape)
        self._optimizer_factory = optimizer

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for all learned parameters."""
        return [self._optimizer_factory(p for p in self.parameters() if p.requires_grad)]

    def bearers(self) -> dict[str, Any]:
        """Return nothing: only the optimiser has numbers that move."""
        return {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update encoder and decoder once, then the codebook and the frequencies of its codes."""
        said: Shares = []
        seen: Seen = []
        self.update("vae", self._losses(batch, said, seen))
        z, codes = (self._of_all_processes(torch.cat(parts)) for parts in zip(*seen, strict=True))
        if all(parameter.requires_grad for parameter in self.quantiser.parameters()):  # else it is frozen
            self.quantiser.learn(z, codes)
        self.learned_prior.observe(codes)
        counts = code_counts(codes, self.quantiser.codes)
        return {**sum_of(said), "perplexity": perplexity(counts).min(), "used_codes": used_codes(counts).min()}

    def _losses(self, batch: Batch, said: Shares, seen: Seen) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            z = self.call(self.encoder, part.x, part.y)
            quantised = self.quantiser(z)
            location = self.call(self.decoder, quantised.z, part.y)
            reconstruction = fidelity(self.likelihood, part.x, location, self.log_scale).mean()
            losses = {name: term.mean() for name, term in quantised.terms.items()}
            total = sum(losses.values(), -reconstruction)
            yield share * total
            terms = {"total": total, "reconstruction": reconstruction, **losses}
            said.append((share, {name: term.detach() for name, term in terms.items()}))
            seen.append((z.detach(), quantised.codes))

    def _of_all_processes(self, part: Tensor) -> Tensor:
        """Gather what the processes of a distributed training have each, so that all learn the same."""
        if self.trainer.world_size == 1:
            return part
        gathered = self.all_gather(part)
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)
