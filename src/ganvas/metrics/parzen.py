r"""Parzen-window log-likelihood: log density of held-out images under a kernel density estimate from samples.

.. math:: \log \hat p(x) = \log \frac1m \sum_{i=1}^{m} \exp \Big( -\frac{\lVert x - s_i \rVert^2}{2 \sigma^2} \Big)
    - d \log \big( \sigma \sqrt{2 \pi} \big)

The window sigma is chosen on a validation set. This metric is only for comparison with the papers of 2014: ten thousand
real training images score about 242 on MNIST, models that are no better than these can score more, and the estimate
says little about likelihood in 784 dimensions (Theis et al. 2016, https://arxiv.org/abs/1511.01844).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from ganvas.data.source import Examples
from ganvas.metrics.base import SAMPLES, SEED, Material, Measured, Metric, Score, Setting
from ganvas.metrics.mean_error import MeanError, mean_error

GOODFELLOW_SIGMAS: Final = tuple(10 ** (i / 9 - 1) for i in range(10))
"""``logspace(-1, 0, 10)``, the grid of parzen_ll.py in https://github.com/goodfeli/adversarial."""
_BLOCK: Final = 2**22
"""Number of distances in a block: 32 MiB in float64."""


@final
@dataclass(frozen=True)
class ParzenEstimate:
    """A Parzen-window log-likelihood.

    Args:
        log_likelihood: mean over the test images, in nats, and its standard error over test images.
        sigma: the chosen window, in units of [0, 1].
        at_edge: whether ``sigma`` is the first or last of several candidates, so that a better one may lie outside.
    """

    log_likelihood: MeanError
    sigma: float
    at_edge: bool


def unit_pixels(images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """Convert images to vectors in [0, 1], on which the protocol is defined.

    Args:
        images: ``uint8`` in [0, 255].

    Returns:
        ``float32`` in [0, 1], one row for each image.
    """
    return images.flatten(1).float() / 255


def parzen(
    samples: Float[Tensor, "m d"],
    validation: Float[Tensor, "v d"],
    test: Float[Tensor, "n d"],
    sigmas: Sequence[float],
) -> ParzenEstimate:
    r"""Log-likelihood of test images with the window that is best for the validation images.

    .. math:: \hat\sigma = \arg\max_\sigma \sum_{x \in V} \log \hat p_\sigma(x), \qquad
        \frac1n \sum_{x \in T} \log \hat p_{\hat\sigma}(x)

    Reference: Goodfellow et al. 2014, section 5 and table 1, https://arxiv.org/abs/1406.2661 (10,000 samples,
    1,000 validation and 10,000 test images).

    Args:
        samples: samples of the model, in [0, 1].
        validation: real images in [0, 1], other than the test images.
        test: real images in [0, 1].
        sigmas: candidate windows, positive, for example :data:`GOODFELLOW_SIGMAS`.

    Raises:
        ValueError: a set is empty, values are outside [0, 1], or a window is not positive.
    """
    for name, x in {"samples": samples, "validation": validation, "test": test}.items():
        _require_unit(name, x)
    means = window_log_density(validation, samples, sigmas).mean(1)
    best = int(means.argmax())
    values = window_log_density(test, samples, [sigmas[best]])[0]
    return ParzenEstimate(mean_error(values), sigmas[best], len(sigmas) > 1 and best in (0, len(sigmas) - 1))


def window_log_density(
    points: Float[Tensor, "n d"], samples: Float[Tensor, "m d"], sigmas: Sequence[float]
) -> Float64[Tensor, "s n"]:
    r"""Log density of the kernel density estimate at each point, for several windows.

    .. math:: \log \frac1m \sum_i N(x; s_i, \sigma^2 I)

    Reference: Parzen 1962, https://doi.org/10.1214/aoms/1177704472.

    Args:
        points: points at which the density is evaluated, any range.
        samples: centres of the kernels.
        sigmas: windows, positive.

    Returns:
        Log densities in nats, a row for each window.

    Raises:
        ValueError: there is no window, or a window is not positive.
    """
    if not sigmas or min(sigmas) <= 0:
        raise ValueError(f"sigmas: expected positive windows, got {list(sigmas)}; logspace(-1, 0, 10) is the paper's")
    m, d = samples.shape
    columns = [
        torch.stack([torch.logsumexp(squares / (-2 * sigma**2), dim=1) for sigma in sigmas])
        for squares in _squared_distances(points, samples)
    ]
    norm = torch.tensor([math.log(m) + d * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas])
    return torch.cat(columns, dim=1) - norm.double()[:, None]


def _squared_distances(points: Tensor, samples: Tensor) -> Iterator[Float64[Tensor, "b m"]]:
    """Yield blocks of squared distances: inner products in float32, all other terms in float64."""
    # The shift does not change distances, and makes the products and their rounding errors smaller.
    centre = samples.double().mean(0)
    samples, points = samples.double() - centre, points.double() - centre
    lengths, single = samples.square().sum(1), samples.float().T.contiguous()
    for x in points.split(max(1, _BLOCK // len(samples))):
        products = (x.float() @ single).double()
        yield (x.square().sum(1, keepdim=True) + lengths).sub_(products, alpha=2).clamp_(min=0)


def _require_unit(name: str, x: Tensor) -> None:
    if not len(x) or not (x.min() >= 0 and x.max() <= 1):
        found = f"[{float(x.min()):.3g}, {float(x.max()):.3g}]" if len(x) else "no image"
        raise ValueError(
            f"{name}: the Parzen windows are for images in [0, 1], got {found}; convert with unit_pixels(to_uint8(x))"
        )


_SETTINGS = (
    Setting("parzen.samples", 10_000, "number of samples; of images from files at most all", least=1, decides=False),
    Setting("parzen.validation", 1_000, "number of validation images, which choose the window", least=1, decides=False),
    Setting("parzen.test", 10_000, "number of test images, whose log-likelihood is measured", least=1, decides=False),
    Setting("parzen.sigmas", [round(sigma, 8) for sigma in GOODFELLOW_SIGMAS], "candidate windows, in units of [0, 1]"),
    SEED,
)


def _parzen(material: Material) -> Measured:
    if len(material.shape) != 3:
        raise ValueError("metrics: parzen is defined on images; leave it out, or write metrics=[modes] for points")
    s, split = material.settings, material.split
    validation = _drawn(material.examples("val", "parzen"), s["parzen.validation"], s.seed)
    test = _drawn(material.examples(split, "parzen"), s["parzen.test"], s.seed)
    samples = unit_pixels(material.draw(s["parzen.samples"])[: s["parzen.samples"]])
    found = parzen(samples, validation, test, list(s["parzen.sigmas"]))
    mean = found.log_likelihood
    over = f"{mean.n} {split} images, sigma={found.sigma:.3g}"
    return Measured(
        {"log_likelihood": Score(mean.mean, mean.standard_error, over)},
        floor=_floor(material, len(samples), validation, test),
        conditions={"n_samples": len(samples), "n_validation": len(validation), "n_test": len(test)},
        notes=(f"parzen chose sigma={found.sigma:.3g}, the edge of its candidates",) * found.at_edge,
    )


def _floor(material: Material, n: int, validation: Tensor, test: Tensor) -> dict[str, float]:
    """Compute the log-likelihood with real training images instead of samples; models may exceed it."""
    if not material.calibration or material.split == "train":
        return {}
    real = _drawn(material.examples("train", "parzen"), n, material.settings.seed)
    found = parzen(real, validation, test, list(material.settings["parzen.sigmas"]))
    return {"log_likelihood": found.log_likelihood.mean}


def _drawn(examples: Examples, n: int, seed: int) -> Tensor:
    index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[:n]
    return unit_pixels(examples.batch(index))


METRIC = Metric(
    "parzen",
    SAMPLES,
    {"log_likelihood": False},
    _SETTINGS,
    1,
    _parzen,
    "Parzen-window log-likelihood of the 2014 papers, nats; the floor is that of real training images",
    "parzen",
)
