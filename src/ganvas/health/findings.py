"""Makes findings from evidence: one check for each kind of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch
from typing import Any, Final

from jaxtyping import Int64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.health.adversarial import critic_gap, critic_gradient, discriminator_saturation
from ganvas.health.checks import class_coverage, finite, gradient_norms, memorisation, posterior_collapse, privacy
from ganvas.health.codes import code_perplexity, used_codes
from ganvas.health.evidence import (
    CodePerplexity,
    CriticScores,
    DiscriminatorLoss,
    Evidence,
    GradientNorms,
    InputGradients,
    Logged,
    Posterior,
    PrivacyLoss,
    UsedCodes,
)
from ganvas.health.finding import Finding
from ganvas.latents.activity import LatentActivity, latent_activity
from ganvas.metrics.memorisation import Memorisation
from ganvas.metrics.seen import PredictedClasses

IN_TRAINING: Final = (
    "finite",
    "generator_gradient_norms",
    "critic_gradient_norms",
    "vae_gradient_norms",
    "encoder_gradient_norms",
    "prior_gradient_norms",
    "class_coverage",
    "discriminator_saturation",
    "critic_gap",
    "critic_gradient",
    "active_units",
    "used_codes",
    "perplexity",
    "privacy",
)
"""Names of all findings that can be made during training."""
HEALTH_TAG: Final = "ganvas.health."
"""Beginning of the tags that hold the state of each finding."""


@singledispatch
def finding_on(evidence: Evidence) -> Finding:
    """Judge one piece of evidence.

    Raises:
        TypeError: no check is registered for this kind of evidence.
    """
    raise TypeError(f"evidence: no check for {type(evidence).__name__}; register one in ganvas.health.findings")


@finding_on.register
def _(evidence: Logged) -> Finding:
    return finite(evidence.series)


@finding_on.register
def _(evidence: GradientNorms) -> Finding:
    return replace(gradient_norms(evidence.norms), name=f"{evidence.player}_gradient_norms")


@finding_on.register
def _(evidence: DiscriminatorLoss) -> Finding:
    return discriminator_saturation(evidence.loss, evidence.real_score, evidence.fake_score, evidence.chance)


@finding_on.register
def _(evidence: CriticScores) -> Finding:
    return critic_gap(evidence.train, evidence.held_out, evidence.fake)


@finding_on.register
def _(evidence: InputGradients) -> Finding:
    return critic_gradient(evidence.norms, evidence.target, evidence.one_sided)


@finding_on.register
def _(evidence: Posterior) -> Finding:
    return posterior_collapse(latent_activity([(evidence.loc, evidence.scale)], evidence.prior, evidence.groups))


@finding_on.register
def _(evidence: UsedCodes) -> Finding:
    return used_codes(evidence.counts)


@finding_on.register
def _(evidence: CodePerplexity) -> Finding:
    return code_perplexity(evidence.counts)


@finding_on.register
def _(evidence: PrivacyLoss) -> Finding:
    return privacy(evidence.epsilon, evidence.delta, evidence.noise, evidence.updates, evidence.share)


@singledispatch
def findings_on(evidence: Any) -> tuple[Finding, ...]:
    """Judge the evidence that a metric returned, see :class:`ganvas.metrics.base.Measured`.

    Raises:
        TypeError: no check is registered for this kind of evidence.
    """
    raise TypeError(f"evidence: no check for {type(evidence).__name__}; register one in ganvas.health.findings")


@findings_on.register
def _(evidence: LatentActivity) -> tuple[Finding, ...]:
    return (posterior_collapse(evidence),)


@findings_on.register
def _(evidence: Memorisation) -> tuple[Finding, ...]:
    return memorisation(evidence)


@findings_on.register
def _(evidence: PredictedClasses) -> tuple[Finding, ...]:
    return finding_on_predictions(evidence.real, evidence.fake)


def finding_on_classes(real: Features, fake: Features) -> tuple[Finding, ...]:
    """Judge whether the samples have all classes, if the reference shows all classes of the extractor.

    Args:
        real: features of the reference.
        fake: features of the samples, by the same extractor.

    Returns:
        One finding; none if there are no logits, or if the reference lacks a class of the extractor.
    """
    if real.logits is None or fake.logits is None:
        return ()
    counts = real.logits.argmax(1).bincount(minlength=real.logits.shape[1])
    return finding_on_predictions(counts, fake.logits.argmax(1))


def finding_on_predictions(real: Int64[Tensor, " k"], fake: Int64[Tensor, " n"]) -> tuple[Finding, ...]:
    """Judge whether the samples have all classes, from predicted classes; see :func:`finding_on_classes`.

    Args:
        real: number of reference images predicted as each class.
        fake: predicted class of each sample.

    Returns:
        One finding; none if there are no samples, or if the reference lacks a class of the extractor.
    """
    # If no real image has a class, the classes are not those of the data, as with Inception's 1008 on faces.
    return (class_coverage(fake, real),) if len(fake) and bool((real > 0).all()) else ()


def by_name(findings: Iterable[Finding]) -> dict[str, dict[str, float | str]]:
    """Findings by name, as in ``result.json``; the names must be distinct."""
    return {v.name: {"value": v.value, "state": v.state, "reason": v.reason} for v in findings}


def health_metrics(findings: Iterable[Finding]) -> dict[str, float]:
    """Values of findings by key ``health/<name>``; the names must be distinct."""
    return {f"health/{v.name}": v.value for v in findings}


def health_tags(findings: Iterable[Finding]) -> dict[str, str]:
    """States (``ok`` or ``warn``) of findings by tag ``ganvas.health.<name>``; the names must be distinct."""
    return {f"{HEALTH_TAG}{v.name}": v.state for v in findings}
