r"""FLD, feature likelihood divergence: how badly Gaussians around the samples predict held-out images.

Each sample y is the centre of an isotropic Gaussian whose variance is fitted to the training images. The score is the
mean negative log-likelihood of the held-out images x under the mixture, for each of d dimensions, above that of a
mixture around real training images:

.. math:: \mathrm{FLD} = \frac{100}{d} \big( \mathrm{NLL}_Y - \mathrm{NLL}_{\text{train}} \big), \qquad
    \mathrm{NLL}_Y = - \frac1n \sum_i \log \frac1M \sum_j N(x_i; y_j, \sigma_j^2 I)

A copy y of a training image gets a tiny variance, which wastes its share of the density on held-out images, so FLD
answers to memorisation as well as to quality and variety. 0 is the score of real images (the floor, by definition).
Features are first divided by the standard deviations of the held-out images. The variances start at the best value for
the nearest training image and are fitted by Adam, as in the authors' code, together with the variance of one wide
Gaussian at the training mean, which gives every training image some likelihood and is left out of the score.

The gradient is known in closed form: with responsibilities :math:`r_{ij}` of the Gaussians for training images,

.. math:: \frac{\partial \, \mathrm{NLL}}{\partial \log \sigma_j^2}
    = - \frac1n \sum_i r_{ij} \Big( \frac{\lVert x_i - y_j \rVert^2}{2 \sigma_j^2} - \frac{d}{2} \Big)

The standard error is that of the mean difference over held-out images, with both mixtures held fixed. Memory: distances
of training images to centres are kept in float32 up to 2 GiB and computed anew in each pass beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import SAMPLES, SEED, Material, Measured, Metric, Score, Setting
from ganvas.metrics.mean_error import MeanError, mean_error
from ganvas.metrics.neighbours import BLOCK_BYTES, squared_distances
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.three_sets import three_sets
from ganvas.metrics.validation import require_images

_LR, _EPOCHS, _BATCH = 0.5, 50, 10_000
"""Learning rate and epochs of Adam, training images in one step (authors' code)."""
_NEAR: Final = 1e-3
"""Added to the squared distance that a variance starts from (authors' code)."""
_WIDE: Final = 0.9**2
"""Factor of the squared distances to the wide Gaussian's centre (authors' code)."""
_CLAMP: Final = 40.0
"""Largest absolute logarithm of a variance (authors' code)."""
_STILL, _WINDOW = 5e-4, 5
"""The fit ends when the loss of the last epochs has changed less than this (authors' code)."""
_KEPT_BYTES: Final = 2 * 2**30


@final
class _Distances:
    """Squared distances of rows to centres, in blocks; as many as fit are kept."""

    def __init__(self, x: Float64[Tensor, "n d"], centres: Float64[Tensor, "m d"]) -> None:
        self._x, self._centres = x, centres
        self._rows = max(1, BLOCK_BYTES // (8 * len(centres)))
        self._left = _KEPT_BYTES
        self._kept: dict[tuple[int, int], Tensor] = {}

    def blocks(self, start: int, stop: int) -> Iterator[tuple[slice, Float64[Tensor, "b m"]]]:
        """Yield the distances of rows from ``start`` to ``stop``, with the rows of each block."""
        for first in range(start, stop, self._rows):
            last = min(first + self._rows, stop)
            yield slice(first, last), self._block(first, last)

    def _block(self, first: int, last: int) -> Float64[Tensor, "b m"]:
        if (first, last) in self._kept:
            return self._kept[first, last].double()
        ((_, block),) = squared_distances(self._x[first:last], self._centres, 0.0, BLOCK_BYTES)
        single = block.float()
        if single.nbytes <= self._left:
            self._left -= single.nbytes
            self._kept[first, last] = single
        # Rounded in every pass, so that what is kept has no influence on the result.
        return single.double()


def log_likelihoods(
    x: Float64[Tensor, "n d"], centres: Float64[Tensor, "m d"], log_variances: Float64[Tensor, " m"]
) -> Float64[Tensor, " n"]:
    r"""Log-likelihood of each row under the mixture, in nats.

    .. math:: \log \frac1M \sum_j N(x; y_j, \sigma_j^2 I)

    Args:
        x: points.
        centres: centres of the Gaussians.
        log_variances: logarithm of each variance.
    """
    blocks = squared_distances(x, centres, 0.0, BLOCK_BYTES)
    found = [torch.logsumexp(_log_densities(d, log_variances, x.shape[1]), dim=1) for _, d in blocks]
    return torch.cat(found) - math.log(len(centres))


def _log_densities(squared: Tensor, log_variances: Tensor, d: int) -> Float64[Tensor, "n m"]:
    return squared * (-0.5 * torch.exp(-log_variances)) - d / 2 * (log_variances + math.log(2 * math.pi))


def fit(train: Float64[Tensor, "n d"], centres: Float64[Tensor, "m d"]) -> Float64[Tensor, " m"]:
    r"""Fit the variance of each Gaussian to training images, by Adam.

    Reference: Jiralerspong et al. 2023, https://arxiv.org/abs/2302.04440; authors' code:
    https://github.com/marcojira/fld (MoG).

    Args:
        train: training images in the order of the steps.
        centres: centres of the Gaussians.

    Returns:
        Logarithm of each variance.
    """
    distances = _Distances(train, centres)
    origin = _WIDE * (train - train.mean(0)).square().sum(1)
    batches = [(a, min(a + _BATCH, len(train))) for a in range(0, len(train), _BATCH)]
    smallest = torch.full((len(centres),), math.inf, dtype=torch.float64)
    for batch in batches:
        for _, block in distances.blocks(*batch):
            smallest = torch.minimum(smallest, block.amin(0))
    logs = ((smallest + _NEAR) / train.shape[1]).log()
    wide = torch.zeros(1, dtype=torch.float64)
    adam = torch.optim.Adam([logs, wide], lr=_LR)
    losses: list[float] = []
    for _ in range(_EPOCHS):
        found = []
        for batch in batches:
            loss, logs.grad, wide.grad = _gradient(distances, origin, batch, (logs, wide), train.shape[1])
            adam.step()
            logs.clamp_(-_CLAMP, _CLAMP)
            found.append(loss)
        losses.append(math.fsum(found) / len(found))
        if len(losses) > _WINDOW + 1 and max(abs(losses[-1] - x) for x in losses[-_WINDOW:]) < _STILL:
            break
    return logs


def _gradient(
    distances: _Distances, origin: Tensor, batch: tuple[int, int], logs: tuple[Tensor, Tensor], d: int
) -> tuple[float, Float64[Tensor, " m"], Float64[Tensor, " 1"]]:
    """Mean negative log-likelihood of a batch for each dimension, and its gradients with respect to both ``logs``."""
    narrow, wide = logs
    total, n = 0.0, batch[1] - batch[0]
    gradient, of_wide = torch.zeros_like(narrow), torch.zeros_like(wide)
    for rows, squared in distances.blocks(*batch):
        parts = _log_densities(squared, narrow, d) - math.log(len(narrow))
        far = _log_densities(origin[rows, None], wide, d)
        log_likelihood = torch.logaddexp(torch.logsumexp(parts, dim=1), far[:, 0])
        total -= float(log_likelihood.sum())
        share = parts.sub_(log_likelihood[:, None]).exp_()
        share_of_far = (far[:, 0] - log_likelihood).exp()
        gradient += d / 2 * share.sum(0) - 0.5 * torch.exp(-narrow) * (share * squared).sum(0)
        of_wide += (share_of_far * (d / 2 - 0.5 * torch.exp(-wide) * origin[rows])).sum()
    return total / (n * d), gradient / (n * d), of_wide / (n * d)


@final
@dataclass(frozen=True, eq=False)
class Reference:
    """Real images of a divergence, normalised, and the likelihoods of held-out images without a model.

    Args:
        train: training images, in the order of the fit.
        held_out: held-out images.
        mean: mean of the held-out images, in feature units.
        deviation: their standard deviation in each dimension; 1 where it is 0.
        log_likelihoods: of the held-out images, under a mixture around half of the training images.
    """

    train: Float64[Tensor, "n d"]
    held_out: Float64[Tensor, "h d"]
    mean: Float64[Tensor, " d"]
    deviation: Float64[Tensor, " d"]
    log_likelihoods: Float64[Tensor, " h"]


def reference(train: Float[Tensor, "n d"], held_out: Float[Tensor, "h d"], *, centres: int, seed: int) -> Reference:
    """Normalise the real images, and fit the mixture around one part of the training images to the others.

    Args:
        train: features of training images, at least 2.
        held_out: features of held-out images, at least 2.
        centres: number of Gaussians, reduced to half of the training images if necessary.
        seed: seed of the order of training images; the global random state is not used.
    """
    mean, deviation = held_out.double().mean(0), held_out.double().std(0)
    deviation[deviation == 0] = 1
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    x, y = (train[order].double() - mean) / deviation, (held_out.double() - mean) / deviation
    size = min(centres, len(train) // 2)
    return Reference(x, y, mean, deviation, log_likelihoods(y, x[:size], fit(x[size:], x[:size])))


def divergence(real: Reference, fake: Float[Tensor, "m d"]) -> MeanError:
    r"""Feature likelihood divergence of generated images.

    .. math:: \frac{100}{d} (\mathrm{NLL}_Y - \mathrm{NLL}_{\text{train}})

    Args:
        real: the real images, made for as many centres.
        fake: features of generated images.

    Returns:
        The divergence and its standard error over held-out images.
    """
    centres = (fake.double() - real.mean) / real.deviation
    found = log_likelihoods(real.held_out, centres, fit(real.train, centres))
    return mean_error(100 / centres.shape[1] * (real.log_likelihoods - found))


_CENTRES = Setting("fld_centres", 10_000, "most samples that fld puts Gaussians on (the authors: 10,000)", least=1)


def _fld(material: Material) -> Measured:
    """Score samples; the floor is 0 by definition; ceiling: noise, or images of one class."""
    sets, s = three_sets(material, "fld"), material.settings
    require_images("fld", 2, fake=sets.fake.values, train=sets.train.values, held_out=sets.held_out.values)
    fake = _some(sets.fake.values, s.fld_centres, s.seed)
    real = reference(sets.train.values, sets.held_out.values, centres=len(fake), seed=s.seed)
    found = divergence(real, fake)
    ceiling = {}
    if material.calibration:
        ceiling = {"fld": divergence(real, _some(material.worst().values, s.fld_centres, s.seed)).mean}
    return Measured(
        {"fld": Score(found.mean, found.standard_error, f"{found.n} held-out images, mixtures held")},
        floor={"fld": 0.0},
        ceiling=ceiling,
        conditions=sets.conditions,
    )


def _some(x: Tensor, n: int, seed: int) -> Tensor:
    """Draw n rows if there are more; all rows, in order, otherwise."""
    return x if len(x) <= n else x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n]]


METRIC = Metric(
    "fld",
    SAMPLES,
    {"fld": True},
    (_CENTRES, SEED),
    1,
    _fld,
    "feature likelihood divergence: how much worse Gaussians around samples predict held-out images than Gaussians "
    "around training images; answers to copies too, and 0 is that of real images",
    sensible_n=SensibleN(
        10_000, "fld moves with the number of Gaussians, and is comparable with papers at 10,000 only (the authors)"
    ),
)
