r"""M2: a VAE of images and classes that learns a classifier from few labelled images and many others.

.. math:: p(x, y, z) = p(x \mid y, z)\, p(y)\, p(z), \qquad q(y, z \mid x) = q(y \mid x)\, q(z \mid x, y),

with a conditional encoder and decoder as in a conditional VAE, and a classifier :math:`q(y \mid x)`. The bounds are in
:mod:`ganvas.objectives.semi_supervised`. Only ``labelled`` training images show their class, each class in its share;
the choice depends on the data set alone. All classes are equally frequent, :math:`p(y) = 1 / K`.

Reference: Kingma et al. 2014, section 3.1 (M2), https://arxiv.org/abs/1406.5298.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast, final

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
from ganvas.objectives import Likelihood, SemiSupervised, Terms
from ganvas.objectives.semi_supervised import ClassDraws
from ganvas.types import Batch, Conditional, Decoder, Encoder, Posterior, Prior, Recognises, Shape


@final
class M2(Model):
    """A semi-supervised VAE: encoder, decoder, classifier, likelihood and objective.

    Args:
        prior: distribution of the latents; its KL has a closed form.
        encoder: maps examples and classes to the approximate posterior.
        decoder: maps latents and classes to the location of the likelihood.
        classifier: shows the logits of the classes of examples, as its further outputs.
        likelihood: Bernoulli, Gaussian, discretised logistic or a mixture of them.
        objective: the bounds, and the weight of the classifier's cross-entropy.
        labelled: number of training images whose class is shown, at least 1.
        optimizer: makes the optimiser from all parameters.
        ema_halflife: half-life of the averaged weights, images; None keeps no average.
        gradient_clip: largest L2 norm of the gradient; None clips nothing.
        schedule: schedule of the learning rate.
        schedules: schedules of other numbers, by name, see :mod:`ganvas.models.scheduled`.
        accumulate: number of parts in which a batch is worked through; their gradients are added.

    Raises:
        ValueError: the parts do not fit each other, or no image is labelled.
    """

    headline = ("elbo", "classification")
    decoding: ClassVar[str] = "decoder"
    players: ClassVar[tuple[str, ...]] = ("m2",)
    # Each is an nn.Module and an Encoder, a Decoder or a critic that recognises; Python has no type for both.
    encoder: Any
    decoder: Any
    classifier: Any

    def __init__(
        self,
        prior: Prior,
        encoder: Encoder,
        decoder: Decoder,
        classifier: Recognises,
        likelihood: Likelihood,
        objective: SemiSupervised,
        labelled: int,
        optimizer: OptimizerFactory,
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
        schedules: Mapping[str, Any],
        accumulate: int,
    ) -> None:
        _check(prior, encoder, decoder, classifier, likelihood, labelled)
        parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder, "classifier": classifier}
        super().__init__(prior, parts, tuple(parts), ema_halflife, gradient_clip, schedule, schedules, accumulate)
        self.labelled = labelled
        self.likelihood, self.objective = likelihood, objective
        self._stated = {"objective": objective}
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
        """Return the objective by name."""
        return self._stated

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update all parts once."""
        said: Shares = []
        self.update("m2", self._losses(batch, said))
        return sum_of(said)

    def _losses(self, batch: Batch, said: Shares) -> Iterator[Tensor]:
        assert self.shown is not None  # a model with classes is told of them before the first step
        for span in spans(len(batch), self.accumulate):
            part = batch[span]
            assert part.y is not None
            known = self.shown[part.index.cpu()].to(part.x.device)
            terms = self.objective(self._draws(part, self.trained), part.y, known, self._share)
            yield len(part) / len(batch) * terms.total
            said.append((len(part) / len(batch), terms.named()))

    @property
    def _share(self) -> float:
        """Share of the training images whose class is shown."""
        return cast(int, self.labelled) / self.n_train

    @property
    def evidence_space(self) -> str:
        """Space of the probabilities of examples, as the likelihood states it."""
        return self.likelihood.space

    def decode(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        r"""Compute the mean of :math:`p(x \mid y, z)`, in [-1, 1]."""
        return self.likelihood.mean(self.call(self.part("decoder"), z, y))

    def class_logits(self, batch: Batch) -> Float[Tensor, "n c"]:
        r"""Compute the log probabilities :math:`\log q(y \mid x)`; the classes of the batch are not read."""
        with torch.no_grad(), evaluating(self):
            return self._log_qy_x(batch.x, self.part)

    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples from the classifier's class and the posterior's mean given it, in [-1, 1]."""
        y = self.class_logits(batch).argmax(1)
        with torch.no_grad(), evaluating(self):
            return self.decode(self.call(self.part("encoder"), batch.x, y).mean, y)

    def evaluate(self, batch: Batch) -> Terms:
        """Compute the bound on the evidence without classes, nats, with the averaged weights if there are any."""
        nowhere = torch.zeros(len(batch), dtype=torch.bool, device=batch.x.device)
        with torch.no_grad(), evaluating(self):
            return self.objective(self._draws(batch, self.part), nowhere.long(), nowhere, 1.0)

    def posterior_moments(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        r"""Yield means and standard deviations of :math:`q(z \mid x)`, a mixture over classes, for each batch.

        Args:
            batches: examples, on any device.
        """
        for batch in batches:
            here = batch.to(self.device)
            weights = self.class_logits(here).exp()[..., None]
            with torch.no_grad(), evaluating(self):
                found = moments(self._posterior(here.x, self.part))
            mean, deviation = (values.unflatten(0, (len(here), -1)) for values in found)
            centre = (weights * mean).sum(1)
            second = (weights * (deviation.square() + (mean - centre[:, None]).square())).sum(1)
            yield centre, second.sqrt()

    def log_weights(self, batch: Batch, k: int) -> Float[Tensor, "k n"]:
        r"""Compute log importance weights of new draws of class and latents, with the averaged weights if any.

        .. math:: \log w = \log p(x \mid y, z) + \log p(y) + \log p(z) - \log q(y \mid x) - \log q(z \mid x, y)

        Args:
            batch: examples, on the device of the model.
            k: draws for each example, at least 1.

        Returns:
            Nats.
        """
        n = len(batch)
        with torch.no_grad(), evaluating(self):
            log_q = self._log_qy_x(batch.x, self.part)
            y = torch.multinomial(log_q.exp(), k, replacement=True).T
            posterior = self._posterior(batch.x, self.part)
            every = posterior.rsample((k,))
            log_qz, log_pz = posterior.log_prob(every), cast(Prior, self.prior).log_prob(every)
            place = y + torch.arange(n, device=y.device) * log_q.shape[1]  # the row of each image's class
            z = every.gather(1, place[..., None].expand(-1, -1, every.shape[-1]))
            location = self.call(self.part("decoder"), z.flatten(0, 1), y.flatten()).unflatten(0, (k, n))
            log_px = self.likelihood.log_prob(batch.x, location, self.log_scale)
            log_py = self.label_marginal.log()[y] - log_q.gather(1, y.T).T
            return log_px + log_py + (log_pz - log_qz).gather(1, place)

    def own_evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """Return the posterior's moments for held-out examples, or for training examples if none are held out."""
        looked_at = train if held_out is None else held_out
        locs, scales = zip(*self.posterior_moments(looked_at.split(SAMPLE_BATCH)), strict=True)
        return (PosteriorMoments(torch.cat(locs), torch.cat(scales), cast(Prior, self.prior)),)

    def _draws(self, batch: Batch, network: Callable[[str], Any]) -> ClassDraws:
        """Draw latents for each example and each class, by the networks of these names."""
        n, k, count = len(batch), self.objective.samples, cast(int, self.classes)
        log_q = self._log_qy_x(batch.x, network)
        posterior = self._posterior(batch.x, network)
        kl = cast(Prior, self.prior).kl(posterior)
        assert kl is not None
        z = posterior.rsample((k,))
        location = self.call(network("decoder"), z.flatten(0, 1), self._every_class(n).repeat(k))
        images = batch.x.repeat_interleave(count, 0)
        log_px = self.likelihood.log_prob(images, location.unflatten(0, (k, n * count)), self.log_scale)
        by_class = log_px.unflatten(1, (n, count)), kl.sum(1).unflatten(0, (n, count))
        return ClassDraws(*by_class, self.label_marginal.log(), log_q)

    def _posterior(self, x: Tensor, network: Callable[[str], Any]) -> Posterior:
        """Posterior of each example given each class: rows of one example stand together."""
        images = x.repeat_interleave(cast(int, self.classes), 0)
        return cast(Posterior, self.call(network("encoder"), images, self._every_class(len(x))))

    def _every_class(self, n: int) -> Tensor:
        return torch.arange(cast(int, self.classes), device=self.device).repeat(n)

    def _log_qy_x(self, x: Tensor, network: Callable[[str], Any]) -> Tensor:
        recognised: Tensor = network("classifier").read(x).recognised
        return recognised.log_softmax(1)


def _check(
    prior: Prior, encoder: Encoder, decoder: Decoder, classifier: Recognises, likelihood: Likelihood, labelled: int
) -> None:
    require_part("encoder", encoder, "latent_dim", "shape")
    require_part("decoder", decoder, "latent_dim", "shape")
    require_part("classifier", classifier, "outputs", "shape")
    if not isinstance(likelihood, Likelihood):
        raise ValueError(
            f"M2 needs a likelihood, got {type(likelihood).__name__}: its classifier learns from bounds on evidence; "
            "write likelihood=bernoulli"
        )
    if labelled < 1:
        raise ValueError(f"labelled={labelled}: expected at least 1 labelled image; write model.labelled=100")
    if not isinstance(encoder, Conditional) or not isinstance(decoder, Conditional):
        raise ValueError("M2 needs an encoder and a decoder that read classes; write LabelledEncoder, LabelledDecoder")
    if not classifier.outputs == encoder.classes:
        raise ValueError(
            f"the classifier has {classifier.outputs} outputs, the encoder {encoder.classes} classes; give as many"
        )
    if not prior.dim == encoder.latent_dim == decoder.latent_dim:
        raise ValueError(
            f"latent dimensions differ: prior {prior.dim}, encoder {encoder.latent_dim}, decoder {decoder.latent_dim}; "
            "write latent_dim: ${prior.dim} in both networks"
        )
