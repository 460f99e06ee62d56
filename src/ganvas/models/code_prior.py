r"""A learned prior over the codes of a trained model: the second stage of a VQ-VAE.

.. math:: L = -\frac{1}{\lvert c \rvert} \log p(c), \qquad c = \text{quantiser}(\text{encoder}(x)),

the mean over the codes of an image, in nats. Encoder, quantiser and decoder come from another run and stay as they are.
Samples are drawn code by code and then decoded.

Reference: van den Oord et al. 2017, section 3.3, https://arxiv.org/abs/1711.00937.

``code_bits_per_dimension`` is :math:`-\log_2 p(c)` divided by the number of coordinates of an image. It is the length
of the codes, which do not hold all of the image: no likelihood of the image, and only comparable for the same first
stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from ganvas.latents import Autoregressive, Quantiser
from ganvas.models.accumulation import Shares, spans, sum_of
from ganvas.models.base import OptimizerFactory
from ganvas.models.coded import STAGE, Coded, check_stage
from ganvas.models.parts import require_part
from ganvas.models.schedules import Schedule
from ganvas.objectives import Likelihood, ReconstructionLoss
from ganvas.types import Batch, GridDecoder, GridEncoder, Predictor


@final
class CodePrior(Coded):
    """An autoregressive prior over the codes of a first stage.

    Args:
        encoder: maps examples to a grid of vectors; not trained.
        quantiser: maps the vectors to codes and back; not trained.
        decoder: maps the grid to the location of the likelihood; not trained.
        likelihood: that of the first stage; samples are its means.
        predictor: gives the logits of each code from those before it.
        optimizer: makes the optimiser from the parameters of the predictor.
        ema_halflife: half-life of the averaged weights of the predictor, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; their gradients are added.

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("nats_per_code", "code_bits_per_dimension")
    players: ClassVar[tuple[str, ...]] = ("prior",)
    first_stage: ClassVar[tuple[str, ...]] = STAGE
    learned_prior: Any  # Autoregressive

    def __init__(
        self,
        encoder: GridEncoder,
        quantiser: Quantiser,
        decoder: GridDecoder,
        likelihood: Likelihood | ReconstructionLoss,
        predictor: Predictor,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
    ) -> None:
        check_stage(encoder, quantiser, decoder)
        require_part("predictor", predictor, "codes", "depth")
        if (predictor.codes, predictor.depth) != (quantiser.codes, quantiser.depth):
            raise ValueError(
                f"predictor knows {predictor.codes} codes, {predictor.depth} at a place, the quantiser has "
                f"{quantiser.codes} and {quantiser.depth}; write codes: ${{quantised:codes}} and depth: "
                "${quantised:depth} in the network"
            )
        parts: dict[str, Any] = {"encoder": encoder, "quantiser": quantiser, "decoder": decoder}
        prior = Autoregressive(predictor, *encoder.grid)
        super().__init__(prior, parts, (), ema_halflife, gradient_clip, schedule, schedules, accumulate)
        for name in STAGE:
            self.trained(name).requires_grad_(False)
        self.likelihood = likelihood
        self._optimizer_factory = optimizer

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make the optimiser of the predictor."""
        return [self._optimizer_factory(p for p in self.learned_prior.parameters() if p.requires_grad)]

    def bearers(self) -> dict[str, Any]:
        """Return nothing: only the optimiser has numbers that move."""
        return {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the predictor once."""
        said: Shares = []
        self.update("prior", self._losses(batch, said))
        return sum_of(said)

    def _losses(self, batch: Batch, said: Shares) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            codes = self.encode(part)
            nats = -self.prior_by(self.trained).log_prob(codes).mean()
            each = nats / codes[0].numel()
            yield share * each
            bits = nats.detach() / (math.log(2) * part.x[0].numel())
            said.append((share, {"nats_per_code": each.detach(), "code_bits_per_dimension": bits}))
