"""The base of models whose latents are codes: an encoder to a grid of vectors, a quantiser, and a decoder.

There is no bound on the evidence: how probable the codes are is a question to the prior over them, and how probable an
image is, none that these models answer.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.extractors.checksum import state_sha256
from ganvas.health.evidence import CodePerplexity, Evidence, UsedCodes
from ganvas.latents import Quantiser
from ganvas.latents.codebooks.usage import code_counts
from ganvas.models.adversaries.alone import Alone
from ganvas.models.adversaries.base import Adversary
from ganvas.models.base import Model
from ganvas.models.modes import evaluating
from ganvas.models.parts import require_part
from ganvas.models.sampling import SAMPLE_BATCH
from ganvas.objectives import Likelihood, ReconstructionLoss
from ganvas.types import Batch, GridDecoder, GridEncoder, Shape

STAGE = ("encoder", "quantiser", "decoder")
"""Names of the parts that make codes of examples, and examples of codes."""


class Coded(Model, ABC):
    """Abstract: a model with the parts ``encoder``, ``quantiser`` and ``decoder``, and a prior over codes.

    Attributes:
        likelihood: distribution of an example around what is decoded.
        adversary: the players beside the autoencoder.
    """

    decoding: ClassVar[str] = "decoder"
    # Each is an nn.Module and a GridEncoder, Quantiser or GridDecoder; Python has no type for both.
    encoder: Any
    quantiser: Any
    decoder: Any
    likelihood: Likelihood | ReconstructionLoss
    adversary: Adversary = Alone()

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.decoder.shape

    @final
    def decode(self, z: Int64[Tensor, "n l h w"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        """Compute the mean of the likelihood, in [-1, 1], from codes."""
        quantiser: Any = self.part("quantiser")
        return self.likelihood.mean(self.call(self.part("decoder"), quantiser.embed(z), y))

    @final
    def encode(self, batch: Batch) -> Int64[Tensor, "n l h w"]:
        """Compute the codes of examples, with the averaged weights if there are any."""
        with torch.no_grad(), evaluating(self):
            quantiser: Any = self.part("quantiser")
            return quantiser(self.call(self.part("encoder"), batch.x, batch.y)).codes

    @final
    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples from their codes, in [-1, 1]."""
        codes = self.encode(batch)
        with torch.no_grad(), evaluating(self):
            return self.decode(codes, batch.y)

    @final
    def code_nats(self, batch: Batch) -> Float[Tensor, " n"]:
        """Compute minus the log probability of each example's codes by the prior, nats."""
        codes = self.encode(batch)
        with torch.no_grad(), evaluating(self):
            return -self.prior.log_prob(codes)

    @final
    def coding(self) -> str:
        """Hash what makes codes of examples: the probabilities of other codes are not comparable."""
        return state_sha256(nn.ModuleList([self.part("encoder"), self.part("quantiser")]))

    @final
    def own_evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """Return the use of the codes for held-out (else training) examples, and the evidence of the adversary."""
        looked_at = train if held_out is None else held_out
        codes = torch.cat([self.encode(part) for part in looked_at.split(SAMPLE_BATCH)])
        counts = code_counts(codes, self.quantiser.codes).cpu()
        return UsedCodes(counts), CodePerplexity(counts), *self.adversary.evidence(history)


def check_stage(encoder: GridEncoder, quantiser: Quantiser, decoder: GridDecoder) -> None:
    """Refuse parts that do not fit each other.

    Args:
        encoder: maps examples to grids of vectors.
        quantiser: maps vectors to codes and back.
        decoder: maps grids of vectors to examples.

    Raises:
        ValueError: names what differs.
    """
    require_part("encoder", encoder, "latent_dim", "shape", "grid")
    require_part("decoder", decoder, "latent_dim", "shape", "grid")
    if not encoder.latent_dim == quantiser.dim == decoder.latent_dim:
        raise ValueError(
            f"coordinates of a vector differ: encoder {encoder.latent_dim}, quantiser {quantiser.dim}, decoder "
            f"{decoder.latent_dim}; write latent_dim: ${{quantised:dim}} in both networks"
        )
    theirs = {"encoder": (*encoder.shape, *encoder.grid), "decoder": (*decoder.shape, *decoder.grid)}
    if theirs["encoder"] != theirs["decoder"]:
        raise ValueError(
            f"encoder reads examples of shape {tuple(encoder.shape)} into a grid of {tuple(encoder.grid)}, the decoder "
            f"makes {tuple(decoder.shape)} of {tuple(decoder.grid)}; give both the same shape and number of halvings"
        )
