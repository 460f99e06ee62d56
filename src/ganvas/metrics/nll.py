r"""Bound on the negative log-likelihood of a latent-variable model, by importance sampling.

.. math::
    \mathrm{ELBO}(x) = \mathbb{E}_{q} \log w \le L_k(x) = \mathbb{E} \log \frac1k \sum_{i=1}^{k} w_i \le \log p(x),
    \qquad w_i = \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}, \quad z_i \sim q(z \mid x).

Draws are made in chunks, and a running log-sum-exp keeps one number for each image, so memory does not grow with k.
The bound rises with k and converges to the evidence, so values at different k are not comparable; papers use k = 5000.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.active_units import BATCH_SIZE, COUNT
from ganvas.metrics.base import MODEL, Material, Measured, Metric, Score, Setting
from ganvas.metrics.mean_error import mean_error

LogWeights = Callable[[Any, int], Tensor]
"""Function of a batch of n images and a number of draws k; returns log weights ``(k, n)`` in nats of new draws."""


@final
@dataclass(frozen=True, eq=False)
class EvidenceBounds:
    r"""Two lower bounds on the log-evidence of each image, from the same draws.

    Args:
        elbo: mean log weight, nats, ``float64 (n,)``.
        importance: :math:`L_k`, nats, ``float64 (n,)``, never below ``elbo`` (Jensen).
        k: draws for each image.
    """

    elbo: Float64[Tensor, " n"]
    importance: Float64[Tensor, " n"]
    k: int


@torch.no_grad()
def evidence_bounds(log_weights: LogWeights, images: Iterable[Sized], k: int, chunk: int) -> EvidenceBounds:
    r"""Compute ELBO and importance-weighted bound of each image, one chunk of draws at a time.

    .. math:: \frac1k \sum_i \log w_i \quad\text{and}\quad \log \sum_i w_i - \log k

    Reference: Burda et al. 2016, equation 8 and section 5 (k = 5000), https://arxiv.org/abs/1509.00519.

    Args:
        log_weights: see :data:`LogWeights`; called with at most ``chunk`` draws.
        images: batches of b images, on the model's device and scale.
        k: draws for each image, at least 1.
        chunk: draws in one call, at least 1; memory grows with ``b * chunk``.

    Returns:
        Bounds of all images, in order, on the CPU.

    Raises:
        ValueError: ``k`` or ``chunk`` is below 1, there is no image, weights have a wrong shape, or bounds are not
            finite.
    """
    for name, value in {"k": k, "chunk": chunk}.items():
        if value < 1:
            raise ValueError(
                f"{name}: expected at least 1, got {value}; the paper's k is 5000, chunk=50 is a good start"
            )
    parts = [_batch(log_weights, x, k, chunk) for x in images if len(x)]
    if not parts:
        raise ValueError("images: expected at least one image, got none; check the split")
    total, log_total = torch.cat(parts, dim=1)
    if not (bad := ~(total + log_total).isfinite()).logical_not().all():
        raise ValueError(
            f"log_weights: {int(bad.sum())} of {len(bad)} images have a bound that is not finite, the first is number "
            f"{int(bad.nonzero()[0])}; the model has diverged, or the images are not on its scale"
        )
    return EvidenceBounds(total / k, log_total - math.log(k), k)


def importance_bound(log_weights: LogWeights, images: Iterable[Sized], k: int, chunk: int) -> Float64[Tensor, " n"]:
    r"""Compute only :math:`L_k` of each image, see :func:`evidence_bounds`.

    Reference: Burda et al. 2016, equation 8, https://arxiv.org/abs/1509.00519.

    Args:
        log_weights: see :data:`LogWeights`.
        images: batches of b images, on the model's device and scale.
        k: draws for each image, at least 1.
        chunk: draws in one call, at least 1.

    Returns:
        Bound of each image, in nats.

    Raises:
        ValueError: see :func:`evidence_bounds`.
    """
    return evidence_bounds(log_weights, images, k, chunk).importance


def _batch(log_weights: LogWeights, x: Sized, k: int, chunk: int) -> Float64[Tensor, "2 n"]:
    """Compute the sum of the log weights, and the log of the sum of the weights, over k draws."""
    total = torch.zeros(len(x), dtype=torch.float64)
    log_total = torch.full((len(x),), -math.inf, dtype=torch.float64)
    for start in range(0, k, chunk):
        log_w = _draws(log_weights, x, min(chunk, k - start))
        total += log_w.sum(0)
        log_total = torch.logaddexp(log_total, log_w.logsumexp(0))
    return torch.stack([total, log_total])


def _draws(log_weights: LogWeights, x: Sized, draws: int) -> Float[Tensor, "k n"]:
    """Draw one chunk of log weights, in float64 on the CPU (some devices have no float64)."""
    log_w = log_weights(x, draws)
    if log_w.shape != (draws, len(x)):
        raise ValueError(
            f"log_weights: expected shape (k, n) = {(draws, len(x))}, got {tuple(log_w.shape)}; sum over the pixels "
            "and latents, keep draws first"
        )
    return log_w.cpu().double()


_SETTINGS = (
    Setting("likelihood.k", 5000, "draws for each image in nll (the paper: 5000)", least=1),
    Setting("likelihood.chunk", 50, "draws in one forward pass", least=1, decides=False),
    BATCH_SIZE,
    COUNT,
)


def _nll(material: Material) -> Measured:
    """Average the negative importance-weighted bound; the bounds of each image are written to ``nll.npz``."""
    model, s = material.bound_model("nll"), material.settings
    n, k = s["likelihood.n"], s["likelihood.k"]
    with torch.random.fork_rng():
        torch.manual_seed(material.seed)
        images = material.held_out(n, s["likelihood.batch_size"])
        bounds = evidence_bounds(model.log_weights, images, k, s["likelihood.chunk"])
    mean = mean_error(-bounds.importance)
    arrays = {"elbo": bounds.elbo.numpy(), "importance": bounds.importance.numpy(), "k": np.array(bounds.k)}
    over = f"{mean.n} {material.split} images, k={bounds.k}"
    facts = {"n": mean.n, "seed": material.seed, "transform": dict(material.transform()), "space": model.evidence_space}
    return Measured(
        {"nll": Score(mean.mean, mean.standard_error, over)},
        conditions=facts,
        arrays={"nll": arrays},
        terms={"nll": -bounds.importance},
    )


METRIC = Metric(
    "nll",
    MODEL,
    {"nll": True},
    _SETTINGS,
    1,
    _nll,
    "bound on the negative log-likelihood by importance weights, nats",
    "likelihood",
)
