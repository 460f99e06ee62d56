r"""Lucas et al. 2019 and Dai et al. 2018: a linear VAE's optimum is probabilistic PCA's, and so is its collapse.

.. math:: z \sim N(0, I_k), \qquad x \mid z \sim N(W z + b, \sigma^2 I), \qquad q(z \mid x) = N(V x + c, S(x)),

with a diagonal S. With the eigenvalues :math:`\lambda_j` and eigenvectors :math:`u_j` of the data's covariance, the
evidence is largest for

.. math:: W_j = \sqrt{\max(\lambda_j - \sigma^2, 0)}\; u_j, \qquad
    \sigma^2_{ML} = \frac{1}{d - k} \sum_{j > k} \lambda_j,

up to a rotation of the latents. The columns are orthogonal, so the exact posterior is diagonal, and the largest ELBO is
the largest evidence. A component whose eigenvalue is below :math:`\sigma^2` is dropped: its latent has the prior as
posterior.

Reference: https://arxiv.org/abs/1911.02469, section 4; https://arxiv.org/abs/1706.05148; Tipping and Bishop 1999
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float, Float64
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import LowRankMultivariateNormal

from ganvas.papers.judgement import Measured
from ganvas.papers.program import Desk
from ganvas.papers.training import Trained, run_preset
from ganvas.types import BoundsEvidence

PRESET = "linear_vae"
PARTS = ("encoder", "decoder")
SIGMA = 2.0
"""Fixed standard deviation of the pixels; its square lies between two eigenvalues of the digits' covariance."""
SEEDS, BATCH = 3, 250
USED = 0.01
"""Mean KL in nats above which a latent counts as used."""


def measure(scale: str, desk: Desk) -> dict[str, Measured]:
    """Run the program; see :data:`ganvas.papers.program.Program`."""
    return {"smoke": _smoke, "cpu": _cpu}[scale](desk)


def _smoke(desk: Desk) -> dict[str, Measured]:
    """Put the closed form into the weights of a VAE that has hardly been trained, and let the product measure it."""
    trained = run_preset(desk, PRESET, "fixed", desk.seed, ["budget.images=20_000"])
    train, test = _images(trained, "train"), _images(trained, "test")
    best = ppca(train, _latents(trained), SIGMA**2)
    desk.report["elbo_gap_20k_images"] = float((best.evidence(train) - LinearVAE.of(trained).elbo(train)).mean())
    model = trained.subject.model
    assert isinstance(model, BoundsEvidence)
    model.load_state_dict({**model.state_dict(), **best.state()})
    log_w = torch.cat([model.log_weights(batch, 3) for batch in trained.subject.data.held_out("test", None, BATCH)], 1)
    kl = LinearVAE.of(trained, best.state()).kl(train)
    return {
        "weights_are_the_evidence": Measured([float((log_w.double() - best.evidence(test)).abs().max())]),
        "dropped_have_no_kl": Measured([float(kl[best.values <= SIGMA**2].max())]),
        "kept_have_their_kl": Measured([_distance_of_kl(kl, best)]),
    }


def _cpu(desk: Desk) -> dict[str, Measured]:
    fixed = [run_preset(desk, PRESET, "fixed", seed) for seed in desk.seeds(SEEDS)]
    learned = [run_preset(desk, PRESET, "learned", seed, ["likelihood.sigma=null"]) for seed in desk.seeds(SEEDS)]
    train, test, k = _images(fixed[0], "train"), _images(fixed[0], "test"), _latents(fixed[0])
    best, free = ppca(train, k, SIGMA**2), ppca(train, k, None)
    ours, freed = ([LinearVAE.of(trained) for trained in runs] for runs in (fixed, learned))
    kls = [vae.kl(train).sort(descending=True).values for vae in ours]
    kept = int((best.values > SIGMA**2).sum())
    gap = lambda vae, exact: float((exact.evidence(train) - vae.elbo(train)).mean())  # noqa: E731
    desk.report.update({"components_kept": float(kept), "variance_ml": free.variance})
    desk.figure("kl", _drawn(kls, best))
    return {
        "fixed_elbo_gap": Measured([gap(vae, best) for vae in ours]),
        "fixed_used_latents": Measured([float((kl > USED).sum()) - kept for kl in kls]),
        "fixed_dropped_kl": Measured([float(kl[kept]) for kl in kls]),
        "fixed_subspace": Measured([angle(vae.decoder, best.decoder[:, :kept], kept) for vae in ours]),
        "learned_variance": Measured([vae.variance / free.variance for vae in freed]),
        "learned_elbo_gap": Measured([gap(vae, free) for vae in freed]),
        "learned_test_evidence": Measured([float((free.evidence(test) - vae.evidence(test)).mean()) for vae in freed]),
    }


@final
@dataclass(frozen=True, eq=False)
class PPCA:
    """Probabilistic PCA, the model with the largest evidence of some images.

    Args:
        decoder: W, ``(d, k)``.
        mean: b, mean of the images.
        variance: sigma squared.
        values: the k largest eigenvalues.
    """

    decoder: Float64[Tensor, "d k"]
    mean: Float64[Tensor, " d"]
    variance: float
    values: Float64[Tensor, " k"]

    def evidence(self, x: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """Compute the log density of images, nats."""
        return evidence(x, self.decoder, self.mean, self.variance)

    def state(self) -> dict[str, Tensor]:
        """Make the weights of a linear VAE with this decoder and its exact posterior, which is diagonal."""
        precision = 1 + self.decoder.square().sum(dim=0) / self.variance
        slope = self.decoder.T / (self.variance * precision)[:, None]
        k = len(precision)
        state = {
            "encoder.output.weight": torch.cat([slope, torch.zeros(k, len(self.mean))]),
            "encoder.output.bias": torch.cat([-slope @ self.mean, -precision.log()]),
            "decoder.output.weight": self.decoder,
            "decoder.output.bias": self.mean,
        }
        return {name: value.float() for name, value in state.items()}


def ppca(x: Float64[Tensor, "n d"], k: int, variance: float | None) -> PPCA:
    """Compute the maximum of the evidence in closed form.

    Reference: Tipping and Bishop 1999, eq. 15 and 16

    Args:
        x: images.
        k: number of latents, below d.
        variance: sigma squared; None takes the most likely one.
    """
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    values, vectors = values.flip(0), vectors.flip(1)
    chosen = float(values[k:].mean()) if variance is None else variance
    return PPCA(vectors[:, :k] * (values[:k] - chosen).clamp(min=0).sqrt(), x.mean(dim=0), chosen, values[:k])


def evidence(
    x: Float64[Tensor, "n d"], decoder: Float64[Tensor, "d k"], mean: Float64[Tensor, " d"], variance: float
) -> Float64[Tensor, " n"]:
    r"""Compute :math:`\log N(x; b, W W^\top + \sigma^2 I)` of images, nats.

    Args:
        x: images.
        decoder: W.
        mean: b.
        variance: sigma squared.
    """
    return LowRankMultivariateNormal(mean, decoder, torch.full_like(mean, variance)).log_prob(x)


@final
@dataclass(frozen=True, eq=False)
class LinearVAE:
    """The weights of a trained linear VAE, float64; its terms are computed without a draw.

    Args:
        encoder: V and the slope of the log-variances, ``(2 k, d)``.
        offset: c and the log-variances at 0.
        decoder: W.
        mean: b.
        variance: sigma squared.
    """

    encoder: Float64[Tensor, "two_k d"]
    offset: Float64[Tensor, " two_k"]
    decoder: Float64[Tensor, "d k"]
    mean: Float64[Tensor, " d"]
    variance: float

    @classmethod
    def of(cls, trained: Trained, other: Mapping[str, Tensor] | None = None) -> LinearVAE:
        """Take the weights of a training.

        Args:
            trained: a run of the preset.
            other: weights in the place of the trained ones.
        """
        model: Any = trained.subject.model
        state = {name: value.detach().double().cpu() for name, value in {**model.state_dict(), **(other or {})}.items()}
        log_scale = state.get("log_scale", torch.tensor(math.log(SIGMA)))
        encoder, decoder = ((state[f"{part}.output.weight"], state[f"{part}.output.bias"]) for part in PARTS)
        return cls(*encoder, *decoder, float((2 * log_scale).exp()))

    def evidence(self, x: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        """Compute the exact evidence of images, nats; it does not depend on the encoder."""
        return evidence(x, self.decoder, self.mean, self.variance)

    def posterior(self, x: Float64[Tensor, "n d"]) -> tuple[Float64[Tensor, "n k"], Float64[Tensor, "n k"]]:
        """Compute means and variances of the latents."""
        mean, log_variance = (x @ self.encoder.T + self.offset).chunk(2, dim=1)
        return mean, log_variance.exp()

    def divergences(self, x: Float64[Tensor, "n d"]) -> Float64[Tensor, "n k"]:
        """Compute the KL of each latent for each image, nats."""
        mean, variance = self.posterior(x)
        return (mean.square() + variance - 1 - variance.log()) / 2

    def kl(self, x: Float64[Tensor, "n d"]) -> Float64[Tensor, " k"]:
        """Compute the mean KL of each latent, nats."""
        return self.divergences(x).mean(dim=0)

    def elbo(self, x: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        r"""Compute the ELBO of images, nats.

        .. math:: -\frac{\|x - W \mu - b\|^2 + \sum_j \|W_j\|^2 s_j^2}{2 \sigma^2} - \frac d2 \log 2 \pi \sigma^2
            - \mathrm{KL}
        """
        mean, variance = self.posterior(x)
        error = (x - mean @ self.decoder.T - self.mean).square().sum(dim=1)
        error = error + variance @ self.decoder.square().sum(dim=0)
        constant = x.shape[1] * math.log(2 * math.pi * self.variance)
        return -(error / self.variance + constant) / 2 - self.divergences(x).sum(dim=1)


def angle(decoder: Float[Tensor, "d k"], exact: Float[Tensor, "d m"], kept: int) -> float:
    """Compute the sine of the largest angle between the spaces of the ``kept`` strongest directions.

    Args:
        decoder: W of a VAE.
        exact: basis of the other space.
        kept: number of directions.
    """
    strongest = torch.linalg.svd(decoder, full_matrices=False).U[:, :kept]
    basis = torch.linalg.qr(exact).Q
    cosine = torch.linalg.svdvals(strongest.T @ basis).min().clamp(max=1)
    return float((1 - cosine.square()).sqrt())


def _distance_of_kl(kl: Float64[Tensor, " k"], best: PPCA) -> float:
    """Largest distance of the kept latents' KL from half the logarithm of eigenvalue over variance."""
    kept = best.values > best.variance
    return float((kl - (best.values / best.variance).log() / 2)[kept].abs().max())


def _images(trained: Trained, split: str) -> Float64[Tensor, "n d"]:
    batches = trained.subject.data.held_out(split, None, BATCH)
    return torch.cat([batch.x for batch in batches]).flatten(1).double()


def _latents(trained: Trained) -> int:
    prior: Any = trained.subject.model.prior
    return int(prior.dim)


def _drawn(kls: list[Tensor], best: PPCA) -> Figure:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    exact = (best.values / best.variance).clamp(min=1).log() / 2
    axes.plot(range(1, len(exact) + 1), exact, color="black", label="probabilistic PCA")
    for i, kl in enumerate(kls):
        axes.plot(range(1, len(kl) + 1), kl, ".", color="C0", label=None if i else "linear VAE, each seed")
    axes.set(xlabel="latent, by its KL", ylabel="mean KL, nats")
    axes.legend()
    return figure
