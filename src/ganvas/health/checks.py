"""Health checks of a run: NaN and infinity, gradient norms, class coverage, posterior collapse, memorisation.

Each threshold is a named constant with its source; 'ours' means that no paper gives a value. Checks of adversarial
training are in :mod:`ganvas.health.adversarial`.
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
"""Upper limit of the largest gradient norm divided by the median (ours): two orders of magnitude."""
GRADIENT_VANISHED: Final = 1e-8
"""Lower limit of the median gradient norm: Adam's epsilon (Kingma and Ba 2015, algorithm 1). Below it, Adam's steps
are no longer normalised by the gradient."""
CLASS_SHARE: Final = 0.1
"""A class is covered if its share is at least this fraction of its reference share (ours). The limit is above 0, as a
classifier's errors give every class a few images."""
CLASS_KL: Final = 0.1
"""Largest divergence in nats (ours): just below log(10/9) = 0.105, the value if one of ten classes is missing."""
ACTIVE_SHARE: Final = 0.05
"""Smallest share of active latents (ours): well below 38% (19 of 50), a healthy VAE in Burda et al. 2016, table 1."""

LARGEST_EPSILON: Final = 10.0
"""Largest epsilon with a meaningful, if weak, guarantee (Ponomareva et al. 2023, section 5.2.1, tier 2,
https://arxiv.org/abs/2303.00654)."""


def finite(series: Mapping[str, Float[Tensor, " t"]]) -> Finding:
    """Count logged values that are NaN or infinite.

    Args:
        series: logged values by name, in the order they were logged.

    Returns:
        ``finite``: number of bad values, ok at 0.

    Raises:
        ValueError: there is no series.
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
    r"""Judge whether the gradient norm exploded or vanished during training.

    .. math:: \max_t g_t / \operatorname{median}_t g_t \le 100, \qquad \operatorname{median}_t g_t \ge 10^{-8}

    Args:
        norms: norm of the parameters' gradient at each logged update, before clipping, at least one.

    Returns:
        ``gradient_norms``: largest norm divided by the median.

    Raises:
        ValueError: there is no value.
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
        reference: count of each predicted (or true) class in the reference.

    Returns:
        ``class_coverage``: number of classes covered.

    Raises:
        ValueError: there is no sample, the reference is empty, or a class is out of range.
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

    .. math:: \#\{u : \operatorname{Var}_x \mathbb{E}_q[u] > 0.01 \operatorname{Var}_p[u]\} \ge \max(1, 0.05\, d)

    Reference: active units: Burda et al. 2016, section 5.3, https://arxiv.org/abs/1509.00519; collapse: Bowman et al.
    2016, https://arxiv.org/abs/1511.06349.

    Args:
        activity: activity of the latents, measured on a data set. A hierarchy may leave groups unused
            (Sønderby et al. 2016, section 3.2, https://arxiv.org/abs/1602.02282), so it needs one active latent only.

    Returns:
        ``active_units``: number of active units.
    """
    active, total = activity.active_units, len(activity.variance)
    least = max(1.0, ACTIVE_SHARE * total) if activity.groups is None else 1.0
    usable = bool(activity.variance.isfinite().all() and (activity.kl is None or activity.kl.isfinite().all()))
    divergence = "" if activity.kl is None else f"; KL of their moments {float(activity.kl.sum()):.2f} nats"
    return Finding.of(
        "active_units",
        float(active),
        usable and active >= least,
        f"{active} of {total} latents are active (variance of the posterior mean above {ACTIVE_VARIANCE:g} of the "
        f"prior's; at least {least:g} expected){_by_group(activity)}{divergence}.",
        "The posterior has collapsed to the prior, or diverged: warm the KL up, use free bits, or a weaker decoder.",
    )


def _by_group(activity: LatentActivity) -> str:
    if activity.groups is None:
        return ""
    pairs = zip(activity.active_by_group, activity.groups, strict=True)
    return "; by group, from the top: " + ", ".join(f"{active} of {total}" for active, total in pairs)


def require_values(name: str, values: Tensor) -> None:
    """Raise ValueError, with the argument's name, if a series is empty."""
    if not len(values):
        raise ValueError(f"{name}: expected at least one value, got none; log more often, or score more images")


def _first_bad(values: Tensor) -> int:
    return int((~values.isfinite()).nonzero()[0])


def memorisation(audit: Memorisation) -> tuple[Finding, Finding]:
    """Judge whether the samples are closer to the training images than held-out images are.

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


def privacy(epsilon: float, delta: float, noise: float, updates: int, share: float) -> Finding:
    """Judge how much the private updates may have told of a single training example.

    Args:
        epsilon: privacy loss, nats.
        delta: probability that the bound does not hold.
        noise: standard deviation of the noise, in units of the largest gradient of an example.
        updates: number of updates.
        share: share of the training examples in a batch.

    Returns:
        ``privacy``: epsilon.
    """
    return Finding.of(
        "privacy",
        epsilon,
        epsilon <= LARGEST_EPSILON,
        f"({epsilon:.3g}, {delta:g})-differentially private after {updates:,} updates of the critic with noise "
        f"{noise:g} and {share:.2%} of the training examples in each, accounted as independent draws; at most "
        f"{LARGEST_EPSILON:g} is expected.",
        "The guarantee is hardly one: add noise, use smaller batches, or train for fewer images.",
    )
