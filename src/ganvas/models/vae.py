r"""The variational autoencoder: an encoder :math:`q(z \mid x)` and a decoder :math:`p(x \mid z)` raise a bound.

.. math:: \log p(x) \ge E_{q(z \mid x)}[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, p(z))

Reference: Kingma and Welling 2013, eq. 3, https://arxiv.org/abs/1312.6114. The objective says which bound (ELBO,
beta-ELBO, importance-weighted); terms are sums over pixels and means over images, in nats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from ganvas.health.evidence import Evidence, Posterior
from ganvas.models.base import SAMPLE_BATCH, Model, OptimizerFactory, evaluating
from ganvas.models.schedules import Schedule
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Bound, BoundTerms, Likelihood, normal_kl
from ganvas.types import Batch, Decoder, Encoder, Prior, Shape


@final
class VAE(Model):
    """Encoder, decoder, likelihood and a bound.

    Args:
        prior: distribution of the latents; standard normal, for the KL's closed form.
        encoder: examples to the approximate posterior.
        decoder: latents to the location of the likelihood.
        likelihood: Bernoulli, Gaussian or discretised logistic.
        objective: the bound to raise, with its number of latent samples.
        optimizer: called with the parameters of encoder, decoder and, where it is learned, the scale.
        ema_halflife: memory of the averaged encoder and decoder in images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        schedule: factor on the learning rate by images seen.

    Raises:
        ValueError: the parts do not fit each other.
    """

    headline = ("elbo", "reconstruction", "kl")
    players: ClassVar[tuple[str, ...]] = ("vae",)
    # Each is an nn.Module as well as what its name promises, which Python's types cannot say together.
    encoder: Any
    decoder: Any

    def __init__(
        self,
        prior: Prior,
        encoder: Encoder,
        decoder: Decoder,
        likelihood: Likelihood,
        objective: Bound | AdversarialObjective,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
    ) -> None:
        _check(prior, encoder, decoder)
        parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
        super().__init__(prior, parts, ("encoder", "decoder"), ema_halflife, gradient_clip, schedule)
        self.likelihood = likelihood
        self.objective = _bound(objective)
        self.log_scale = _scale(likelihood, decoder.shape)
        self._optimizer_factory = optimizer

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.decoder.shape

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Lightning's hook: one optimiser for everything that learns."""
        return self._optimizer_factory(p for p in self.parameters() if p.requires_grad)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One update of encoder and decoder."""
        terms = self._terms(batch.x, self.encoder, self.decoder)
        self.update("vae", terms.total)
        return terms.named()

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        r"""Latents to the mean of :math:`p(x \mid z)`, in [-1, 1]."""
        return self.likelihood.mean(self.part("decoder")(z))

    def reconstruct(self, x: Float[Tensor, " n *shape"]) -> Float[Tensor, " n *shape"]:
        """Examples to their reconstructions from the posterior's mean, both in [-1, 1]."""
        with torch.no_grad(), evaluating(self):
            return self.decode(self.part("encoder")(x).mean)

    def evaluate(self, x: Float[Tensor, " n *shape"]) -> dict[str, Tensor]:
        """The objective's terms on held-out examples, in nats, by the weights the model is judged by."""
        with torch.no_grad(), evaluating(self):
            return self._terms(x, self.part("encoder"), self.part("decoder")).named()

    def posterior(self, x: Float[Tensor, " n *shape"]) -> Independent:
        r"""The approximate posterior :math:`q(z \mid x)` of examples, by the weights the model is judged by."""
        with torch.no_grad(), evaluating(self):
            return self.part("encoder")(x)

    def posterior_moments(
        self, batches: Iterable[Float[Tensor, " n *shape"]]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        """Means and standard deviations of the posterior, batch by batch; see :meth:`posterior`.

        Args:
            batches: examples in [-1, 1], on any device.
        """
        for x in batches:
            posterior = self.posterior(x.to(self.device)).base_dist
            yield posterior.loc, posterior.scale

    def log_weights(self, x: Float[Tensor, " n *shape"], k: int) -> Float[Tensor, "k n"]:
        r"""Log importance weights of fresh draws from the posterior, by the weights the model is judged by.

        .. math:: \log w_i = \log p(x \mid z_i) + \log p(z_i) - \log q(z_i \mid x), \qquad z_i \sim q(z \mid x)

        Reference: Burda et al. 2016, equation 8, https://arxiv.org/abs/1509.00519.

        Args:
            x: examples in [-1, 1].
            k: draws an example, at least 1.

        Returns:
            Nats.
        """
        with torch.no_grad(), evaluating(self):
            log_px_z, log_pz, log_qz_x = self._densities(x, self.part("encoder")(x), self.part("decoder"), k)
        return log_px_z + log_pz - log_qz_x

    def own_evidence(
        self,
        train: Float[Tensor, " n *shape"],
        held_out: Float[Tensor, " m *shape"] | None,
        history: Mapping[str, Float[Tensor, " t"]],
    ) -> tuple[Evidence, ...]:
        """The posterior of held-out examples; of training ones where there are no others."""
        x = train if held_out is None else held_out
        locs, scales = zip(*self.posterior_moments(x.split(SAMPLE_BATCH)), strict=True)
        return (Posterior(torch.cat(locs), torch.cat(scales)),)

    def _terms(self, x: Tensor, encoder: Any, decoder: Any) -> BoundTerms:
        posterior = encoder(x)
        kl = normal_kl(posterior.base_dist.loc, posterior.base_dist.scale)
        return self.objective(*self._densities(x, posterior, decoder, self.objective.samples), kl)

    def _densities(self, x: Tensor, posterior: Independent, decoder: Any, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Log densities of the examples given k draws, and of the draws under prior and posterior, ``(k, n)`` each."""
        z = posterior.rsample((k,))
        location = decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return self.likelihood.log_prob(x, location, self.log_scale), self.prior.log_prob(z), posterior.log_prob(z)


def _scale(likelihood: Likelihood, shape: Shape) -> nn.Parameter | None:
    if not likelihood.learned_scale:
        return None
    # One scale a channel: a scale for each pixel lets a VAE collapse it where a pixel never changes.
    broadcast = (shape[0],) + (1,) * (len(shape) - 1)
    return nn.Parameter(torch.full(broadcast, likelihood.initial_log_scale))


def _bound(objective: Bound | AdversarialObjective) -> Bound:
    if not isinstance(objective, Bound):
        raise ValueError(
            f"VAE needs a variational bound as its objective, got {type(objective).__name__}; "
            "write objective=elbo, beta_elbo or iwae"
        )
    return objective


def _check(prior: Prior, encoder: Encoder, decoder: Decoder) -> None:
    if not prior.standard_normal:
        raise ValueError(f"VAE needs a standard normal prior, got {type(prior).__name__}; write prior=normal")
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
