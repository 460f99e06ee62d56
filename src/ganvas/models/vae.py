r"""The variational autoencoder: an encoder :math:`q(z \mid x)` and a decoder :math:`p(x \mid z)` maximise a bound.

.. math:: \log p(x) \ge E_{q(z \mid x)}[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, p(z))

Reference: Kingma and Welling 2013, eq. 3, https://arxiv.org/abs/1312.6114. The objective is a bound on the evidence
(:mod:`ganvas.objectives.bounds`), whose terms are sums over pixels and means over images, in nats; or one that bounds
none (:mod:`ganvas.objectives.autoencoding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, cast, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.health.evidence import Evidence
from ganvas.health.evidence import Posterior as PosteriorMoments
from ganvas.latents.posteriors import moments
from ganvas.models.accumulation import Shares, spans, sum_of
from ganvas.models.base import Model, OptimizerFactory
from ganvas.models.modes import evaluating
from ganvas.models.parts import learned_scale, require_part
from ganvas.models.sampling import SAMPLE_BATCH
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Draws, FromDraws, Likelihood, ReconstructionLoss, Terms, fidelity
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
_BOUNDS: Final = ("elbo", "bound")
"""Terms that only a likelihood makes what they are called."""
_CHANGE: Final = "change prior or posterior"
_FAMILIES: Final = {"sphere": ", or posterior=von_mises_fisher", "codes": ", or posterior=gumbel"}
"""Families of posteriors by the space of a prior, besides the normals and flows, which lie anywhere."""


@final
class VAE(Model):
    """A variational autoencoder: encoder, decoder, likelihood and objective.

    Without a likelihood, or with an objective that bounds no evidence, :meth:`evaluate` and :meth:`log_weights` are
    None: the model is then no :class:`~ganvas.types.BoundsEvidence`.

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

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("elbo", "reconstruction", "kl")
    decoding: ClassVar[str] = "decoder"
    players: ClassVar[tuple[str, ...]] = ("vae",)
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
        accumulate: int = 1,  # runs that were recorded before it existed load as they are
    ) -> None:
        _check(prior, encoder, decoder)
        parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
        super().__init__(
            prior, parts, ("encoder", "decoder"), ema_halflife, gradient_clip, schedule, schedules, accumulate
        )
        self.likelihood = likelihood
        self.objective = _from_draws(objective)
        if not self.objective.bounds_evidence or isinstance(likelihood, ReconstructionLoss):
            # A method that is None counts as missing where isinstance compares an object with a protocol.
            self.evaluate = self.log_weights = None  # type: ignore[method-assign, assignment]
        self._stated: dict[str, Any] = {"objective": self.objective}
        family = encoder.posterior if isinstance(encoder, NamesPosterior) else None
        if isinstance(family, Tempered):
            self._stated["temperature"] = family.temperature
        self.log_scale = learned_scale(likelihood, decoder.shape)
        self._optimizer_factory = optimizer

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.decoder.shape

    def make_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for all learned parameters."""
        return [self._optimizer_factory(p for p in self.parameters() if p.requires_grad)]

    def bearers(self) -> dict[str, Any]:
        """Return the objective by name, and the temperature of posteriors that have one."""
        return self._stated

    @property
    def temperature(self) -> float:
        """Temperature of the posterior's draws in training; a schedule sets it."""
        return float(self.encoder.posterior.temperature)

    @temperature.setter
    def temperature(self, value: float) -> None:
        self.encoder.posterior.temperature = value

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update encoder and decoder once."""
        said: Shares = []
        self.update("vae", self._losses(batch, said))
        return sum_of(said)

    def _losses(self, batch: Batch, said: Shares) -> Iterator[Tensor]:
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            share = len(part) / len(batch)
            terms = self.objective(self._draws(part, self.trained, self.objective.samples))
            yield share * terms.total
            said.append((share, self._named(terms)))

    def _named(self, terms: Terms) -> dict[str, Tensor]:
        """Name the terms; with a loss in the place of a likelihood, nothing is called a bound."""
        hidden = () if isinstance(self.likelihood, Likelihood) else _BOUNDS
        return {name: term for name, term in terms.named().items() if name not in hidden}

    @property
    def evidence_space(self) -> str:
        """Space of the probabilities of examples, as the likelihood states it, and whether classes are given."""
        space = cast(Likelihood, self.likelihood).space
        return space if self.classes is None else f"{space}, given the class"

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        r"""Compute the mean of :math:`p(x \mid z)`, in [-1, 1], from latents and, if conditional, classes."""
        return self.likelihood.mean(self.call(self.part("decoder"), z, y))

    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples from the posterior's mean, in [-1, 1]."""
        with torch.no_grad(), evaluating(self):
            return self.decode(self.call(self.part("encoder"), batch.x, batch.y).mean, batch.y)

    def evaluate(self, batch: Batch) -> Terms:
        """Compute the objective's terms in nats, with the averaged weights if there are any."""
        with torch.no_grad(), evaluating(self):
            return self.objective(self._draws(batch, self.part, self.objective.samples))

    def posterior(self, batch: Batch) -> Posterior:
        r"""Compute the approximate posterior :math:`q(z \mid x)`, with the averaged weights if there are any."""
        with torch.no_grad(), evaluating(self):
            return self.call(self.part("encoder"), batch.x, batch.y)

    def posterior_moments(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        """Yield means and standard deviations of the posterior for each batch, see :meth:`posterior`.

        Args:
            batches: examples, on any device.
        """
        return (moments(self.posterior(batch.to(self.device))) for batch in batches)

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
            return self._draws(batch, self.part, k).log_w

    def own_evidence(
        self,
        train: Batch,
        held_out: Batch | None,
        history: Mapping[str, Float[Tensor, " t"]],
    ) -> tuple[Evidence, ...]:
        """Return the posterior's moments for held-out examples, or for training examples if none are held out."""
        looked_at = train if held_out is None else held_out
        locs, scales = zip(*self.posterior_moments(looked_at.split(SAMPLE_BATCH)), strict=True)
        return (PosteriorMoments(torch.cat(locs), torch.cat(scales), cast(Prior, self.prior)),)

    def _draws(self, batch: Batch, network: Callable[[str], Any], k: int) -> Draws:
        """Draw k latents for each example, by the networks of these names, and compute what objectives read."""
        prior, decoder = self.prior_by(network), network("decoder")
        posterior: Posterior = self.call(network("encoder"), batch.x, batch.y)
        kl = prior.kl(posterior)  # before the draws: the order decides how gradients are summed and rounded
        z = posterior.mean.expand(k, -1, -1) if self.objective.deterministic else posterior.rsample((k,))
        location = self.call(decoder, z.flatten(0, 1), None if batch.y is None else batch.y.repeat(k))
        location = location.unflatten(0, z.shape[:2])
        log_px_z = fidelity(self.likelihood, batch.x, location, self.log_scale)
        log_pz, log_qz_x = prior.log_prob(z), posterior.log_prob(z)
        # The last of the random draws, so that objectives without it see the same latents.
        prior_z = prior.sample(k * len(batch), device=z.device) if self.objective.compares_with_prior else None
        return Draws(log_px_z, log_pz, log_qz_x, kl, z, posterior, self.n_train, location, decoder, prior_z)


def _from_draws(objective: FromDraws | AdversarialObjective) -> FromDraws:
    if not isinstance(objective, FromDraws):
        raise ValueError(
            f"VAE needs an objective of draws of its latents, got {type(objective).__name__}; "
            "write objective=elbo, beta_elbo or iwae"
        )
    return objective


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
