"""Health of a run in findings: numbers that stay numbers, gradients, classes, latents.

Thresholds are named constants that say where they are from; 'ours' means that no paper gives one. The adversarial
game's own checks are in :mod:`ganvas.health.adversarial`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.health.finding import Finding
from ganvas.latents.activity import ACTIVE_VARIANCE, LatentActivity
from ganvas.metrics.histogram import histogram_kl
from ganvas.metrics.memorisation import Memorisation, Share

GRADIENT_SPIKE: Final = 100.0
"""Largest gradient norm over the median (ours): two orders of magnitude above a run's usual step."""
GRADIENT_VANISHED: Final = 1e-8
"""Median gradient norm: Adam's epsilon (Kingma and Ba 2015, algorithm 1), below which its steps are not scaled."""
CLASS_SHARE: Final = 0.1
"""Of its reference share a class needs to count as covered (ours): a classifier's errors fill every class a little."""
CLASS_KL: Final = 0.1
"""Nats (ours): just below log(10/9) = 0.105, which is one of ten classes missing."""
ACTIVE_SHARE: Final = 0.05
"""Of the latents (ours): well below the 38% (19 of 50) of a healthy VAE in Burda et al. 2016, table 1."""


def finite(series: Mapping[str, Float[Tensor, " t"]]) -> Finding:
    """Count logged values that are NaN or infinite.

    Args:
        series: logged values by name, in the order they were logged.

    Returns:
        ``finite``: number of bad values, ok at 0.

    Raises:
        ValueError: no series.
    """
    if not series:
        raise ValueError("series: expected at least one logged series, got none; pass the run's metrics by name")
    bad = {name: int((~values.isfinite()).sum()) for name, values in series.items()}
    count, logged = sum(bad.values()), sum(len(values) for values in series.values())
    first = next((f"{name} at entry {_first_bad(series[name])}" for name in bad if bad[name]), "")
    return Finding.of(
        "finite",
        float(count),
        count == 0,
        f"{count} of {logged} logged values are NaN or infinite.",
        f"The first series with one is {first}: lower the learning rate, or clip the gradient.",
    )


def gradient_norms(norms: Float[Tensor, " t"]) -> Finding:
    r"""Judge the norms of the parameters' gradient over training: no explosion, not vanished.

    .. math:: \max_t g_t / \operatorname{median}_t g_t \le 100, \qquad \operatorname{median}_t g_t \ge 10^{-8}

    Args:
        norms: norm at each logged update, before clipping, at least one.

    Returns:
        ``gradient_norms``: largest over median.

    Raises:
        ValueError: no value.
    """
    require_values("norms", norms)
    norms = norms.double()
    median, largest = float(norms.quantile(0.5)), float(norms.max())
    spike = largest / median if median else float("inf")
    return Finding.of(
        "gradient_norms",
        spike,
        spike <= GRADIENT_SPIKE and median >= GRADIENT_VANISHED,
        f"Median gradient norm {median:.3g} (at least {GRADIENT_VANISHED:g} is expected), largest {largest:.3g}, "
        f"{spike:.3g} times the median (at most {GRADIENT_SPIKE:g}).",
        "Exploding gradients ask for clipping or a lower learning rate, vanished ones for another loss or "
        "initialisation.",
    )


def class_coverage(classes: Int64[Tensor, " n"], reference: Int64[Tensor, " k"]) -> Finding:
    r"""Judge whether the samples have all classes, in the reference's proportions.

    .. math:: \#\{k : \hat p_k \ge 0.1\, q_k\}, \qquad \mathrm{KL}(\hat p \,\|\, q) \le 0.1

    Args:
        classes: predicted class of each sample, 0 to k - 1.
        reference: predicted (or true) count of each class in the reference.

    Returns:
        ``class_coverage``: number of classes covered.

    Raises:
        ValueError: no sample, an empty reference, or a class out of range.
    """
    require_values("classes", classes)
    counts = classes.cpu().bincount(minlength=len(reference))
    if len(counts) > len(reference):
        raise ValueError(f"classes: expected 0 to {len(reference) - 1}, got {len(counts) - 1}; count the same classes")
    divergence, total = histogram_kl(counts, reference), int((reference > 0).sum())
    expected = CLASS_SHARE * reference.double() / reference.sum()
    covered = int(((counts.double() / len(classes) >= expected) & (reference > 0)).sum())
    return Finding.of(
        "class_coverage",
        float(covered),
        covered == total and divergence <= CLASS_KL,
        f"{covered} of {total} classes have at least {CLASS_SHARE:.0%} of their reference share; the histogram of "
        f"predicted classes is {divergence:.3f} nats from the reference (at most {CLASS_KL:g}).",
        "Classes are missing or rare: the generator drops modes, or the labels are out of balance.",
    )


def posterior_collapse(activity: LatentActivity) -> Finding:
    r"""Judge whether a VAE uses its latents.

    .. math:: \#\{u : \operatorname{Var}_x \mathbb{E}_q[u] > 0.01\} \ge \max(1, 0.05\, d)

    Reference: active units: Burda et al. 2016, section 5.3, https://arxiv.org/abs/1509.00519; collapse: Bowman et al.
    2016, https://arxiv.org/abs/1511.06349.

    Args:
        activity: of the latents over a data set.

    Returns:
        ``active_units``: number of active units.
    """
    active, total = activity.active_units, len(activity.variance)
    usable = bool(activity.variance.isfinite().all() and activity.kl.isfinite().all())
    return Finding.of(
        "active_units",
        float(active),
        usable and active >= max(1.0, ACTIVE_SHARE * total),
        f"{active} of {total} latents are active (variance of the posterior mean above {ACTIVE_VARIANCE:g}; at least "
        f"{max(1.0, ACTIVE_SHARE * total):g} expected); KL {float(activity.kl.sum()):.2f} nats.",
        "The posterior has collapsed to the prior, or diverged: warm the KL up, use free bits, or a weaker decoder.",
    )


def require_values(name: str, values: Tensor) -> None:
    """Refuse an empty series.

    Args:
        name: of the argument.
        values: one-dimensional.

    Raises:
        ValueError: nothing in it.
    """
    if not len(values):
        raise ValueError(f"{name}: expected at least one value, got none; log more often, or score more images")


def _first_bad(values: Tensor) -> int:
    return int((~values.isfinite()).nonzero()[0])


def memorisation(audit: Memorisation) -> tuple[Finding, Finding]:
    """Judge whether held-out images explain how close the samples are to the training images.

    Args:
        audit: of the samples.

    Returns:
        ``memorisation_close`` and ``memorisation_authentic``.
    """
    return _close(audit.close), _authentic(audit.authentic)


def _close(share: Share) -> Finding:
    low, high = share.interval
    return Finding.of(
        "memorisation_close",
        share.fake,
        share.fake <= high,
        f"{share.fake:.2%} of the samples are as close to a training image as the closest {share.held_out:.2%} of the "
        f"held-out images; as many fresh images would show {low:.2%} to {high:.2%}.",
        "The samples copy training images, or crowd where these are dense: look at the most suspicious pairs.",
    )


def _authentic(share: Share) -> Finding:
    low, high = share.interval
    return Finding.of(
        "memorisation_authentic",
        share.fake,
        share.fake >= low,
        f"{share.fake:.2%} of the samples are authentic, {share.held_out:.2%} of the held-out images; as many fresh "
        f"images would show {low:.2%} to {high:.2%}.",
        "Samples are closer to a training image than its nearest other training image: look at the suspicious pairs.",
    )
