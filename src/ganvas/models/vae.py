r"""The variational autoencoder: an encoder :math:`q(z \mid x)` and a decoder :math:`p(x \mid z)` maximise a bound.

.. math:: \log p(x) \ge E_{q(z \mid x)}[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, p(z))

Reference: Kingma and Welling 2013, eq. 3, https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.latents.posteriors import moments
from ganvas.models.adversaries.alone import Alone
from ganvas.models.adversaries.base import Adversary
from ganvas.models.base import OptimizerFactory
from ganvas.models.modes import evaluating
from ganvas.models.parts import require_part
from ganvas.models.schedules import Schedule
from ganvas.models.variational import Variational
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Draws, FromDraws, Likelihood, ReconstructionLoss, fidelity
from ganvas.types import (
    Batch,
    Conditional,
    Decoder,
    Encoder,
    NamesPosterior,
    Posterior,
    Prior,
    ReadsEncoder,
    Shape,
    Tempered,
)

_FITTING: Final = {
    "reals": "write prior=normal or mixture",
    "sphere": "write prior=sphere",
    "codes": "write prior=categorical or joint",
}
"""Priors by the space of a posterior's draws."""
_CHANGE: Final = "change prior or posterior"
_FAMILIES: Final = {"sphere": ", or posterior=von_mises_fisher", "codes": ", or posterior=gumbel"}
"""Families of posteriors by the space of a prior, besides the normals and flows, which lie anywhere."""


@final
class VAE(Variational):
    """A variational autoencoder: encoder, decoder, likelihood and objective.

    Args:
        prior: distribution of the latents; if the KL has no closed form, the bound estimates it. A module is learned.
        encoder: maps examples to the approximate posterior.
        decoder: maps latents to the location of the likelihood.
        likelihood: Bernoulli, Gaussian, discretised logistic or a mixture of them; or a loss in its place.
        objective: the bound to maximise, with its number of latent samples; or an objective that bounds no evidence.
        optimizer: makes the optimiser from the parameters of encoder, decoder and, if learned, the scale.
        ema_halflife: half-life of the averaged weights of encoder and decoder, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; their gradients are added.
        adversary: the players beside encoder and decoder, see :mod:`ganvas.models.adversaries.base`.
        critic_optimizer: arguments of ``optimizer`` that differ for the adversary's critic.
        encoder_optimizer: arguments of ``optimizer`` that differ for the encoder, where the adversary updates it alone.

    Raises:
        ValueError: the parts do not fit each other.
    """

    decoding: ClassVar[str] = "decoder"
    inferring: ClassVar[str] = "encoder"
    # Each is an nn.Module and an Encoder or Decoder; Python has no type for the intersection of both.
    encoder: Any
    decoder: Any

    def __init__(
        self,
        prior: Prior | ReadsEncoder,
        encoder: Encoder,
        decoder: Decoder,
        likelihood: Likelihood | ReconstructionLoss,
        objective: FromDraws | AdversarialObjective,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        # What follows may be absent: runs that were recorded before it existed load as they are.
        accumulate: int = 1,
        adversary: Adversary = Alone(),  # noqa: B008  (a frozen value)
        critic_optimizer: Mapping[str, Any] | None = None,
        encoder_optimizer: Mapping[str, Any] | None = None,
    ) -> None:
        _check(prior, encoder, decoder)
        adversary.check(prior.dim, decoder.shape, decoder)
        parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
        super().__init__(
            prior,
            parts,
            likelihood,
            objective,
            decoder.shape,
            optimizer,
            ema_halflife,
            gradient_clip,
            None,
            schedule,
            schedules,
            accumulate,
            adversary,
            {"critic": critic_optimizer or {}, "encoder": encoder_optimizer or {}},
        )
        family = encoder.posterior if isinstance(encoder, NamesPosterior) else None
        if isinstance(family, Tempered):
            self._stated["temperature"] = family.temperature

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.decoder.shape

    def latents(self, batch: Batch) -> Float[Tensor, "m d"]:
        """Draw latents by the encoder that is trained, as many as the objective reads: all first ones first.

        Args:
            batch: examples, on the device of the model.
        """
        return self._drawn(self.call(self.encoder, batch.x, batch.y), self.objective.samples).flatten(0, 1)

    @property
    def temperature(self) -> float:
        """Temperature of the posterior's draws in training; a schedule sets it."""
        return float(self.encoder.posterior.temperature)

    @temperature.setter
    def temperature(self, value: float) -> None:
        self.encoder.posterior.temperature = value

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        r"""Compute the mean of :math:`p(x \mid z)`, in [-1, 1], from latents and, if conditional, classes."""
        return self.likelihood.mean(self.call(self.part("decoder"), z, y))

    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples from the posterior's mean, in [-1, 1]."""
        with torch.no_grad(), evaluating(self):
            return self.decode(self.call(self.part("encoder"), batch.x, batch.y).mean, batch.y)

    def posterior(self, batch: Batch) -> Posterior:
        r"""Compute the approximate posterior :math:`q(z \mid x)`, with the averaged weights if there are any."""
        with torch.no_grad(), evaluating(self):
            return self.call(self.part("encoder"), batch.x, batch.y)

    def moments(self, batch: Batch) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Compute mean and standard deviation of the posterior, see :meth:`posterior`."""
        with torch.no_grad():  # the moments of a flow run its maps; their graph would hold gigabytes
            return moments(self.posterior(batch))

    def codes(self, batches: Iterable[Batch], seed: int) -> Float[Tensor, "n d"]:
        r"""Draw :math:`z \sim q(z \mid x)` for each example, on the CPU; of a deterministic encoder, its mean.

        Args:
            batches: examples, on any device, in batches.
            seed: seed of the draws; no global generator is touched.
        """
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            found = (self.posterior(batch.to(self.device)) for batch in batches)
            return torch.cat([(q.mean if self.objective.deterministic else q.rsample(())).cpu() for q in found])

    def draws(self, batch: Batch, network: Callable[[str], Any], k: int) -> Draws:
        """Draw k latents for each example, by the networks of these names, and compute what objectives read."""
        prior, decoder = self.prior_by(network), network("decoder")
        posterior: Posterior = self.call(network("encoder"), batch.x, batch.y)
        kl = prior.kl(posterior)  # before the draws: the order decides how gradients are summed and rounded
        z = self._drawn(posterior, k)
        location = self.call(decoder, z.flatten(0, 1), None if batch.y is None else batch.y.repeat(k))
        location = location.unflatten(0, z.shape[:2])
        log_px_z = fidelity(self.likelihood, batch.x, location, self.log_scale)
        log_pz, log_qz_x = prior.log_prob(z), posterior.log_prob(z)
        # The last of the random draws, so that objectives without it see the same latents.
        prior_z = prior.sample(k * len(batch), device=z.device) if self.objective.compares_with_prior else None
        return Draws(log_px_z, log_pz, log_qz_x, kl, z, posterior, self.n_train, location, decoder, prior_z)

    def _drawn(self, posterior: Posterior, k: int) -> Float[Tensor, "k n d"]:
        return posterior.mean.expand(k, -1, -1) if self.objective.deterministic else posterior.rsample((k,))


def _check(prior: Prior | ReadsEncoder, encoder: Encoder, decoder: Decoder) -> None:
    require_part("encoder", encoder, "latent_dim", "shape")
    require_part("decoder", decoder, "latent_dim", "shape")
    posteriors = encoder.posterior.space if isinstance(encoder, NamesPosterior) else "reals"
    if prior.space != posteriors:
        raise ValueError(
            f"VAE needs a prior whose density is positive where the posterior's draws lie ({posteriors}), got "
            f"{type(prior).__name__} ({prior.space}): the KL of a posterior that reaches beyond the prior is infinite; "
            f"{_FITTING.get(posteriors, _CHANGE)}{_FAMILIES.get(prior.space, '')}"
        )
    if isinstance(prior, ReadsEncoder) and isinstance(encoder, Conditional):
        raise ValueError(
            f"VAE: {type(prior).__name__} is made of posteriors of images without a class, and the encoder reads "
            "classes; write prior=normal"
        )
    if not prior.dim == encoder.latent_dim == decoder.latent_dim:
        raise ValueError(
            f"latent dimensions differ: prior {prior.dim}, encoder {encoder.latent_dim}, decoder {decoder.latent_dim}; "
            "write latent_dim: ${prior.dim} in both networks"
        )
    if tuple(encoder.shape) != tuple(decoder.shape):
        raise ValueError(
            f"encoder reads examples of shape {tuple(encoder.shape)}, the decoder writes {tuple(decoder.shape)}; "
            "give both the shape of the data"
        )
