"""From what a model shows of its state to a finding: one check for each kind of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch
from typing import Any, Final

from jaxtyping import Int64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.health.adversarial import critic_gap, critic_gradient, discriminator_saturation
from ganvas.health.checks import class_coverage, finite, gradient_norms, memorisation, posterior_collapse
from ganvas.health.evidence import (
    CriticScores,
    DiscriminatorLoss,
    Evidence,
    GradientNorms,
    InputGradients,
    Logged,
    Posterior,
)
from ganvas.health.finding import Finding
from ganvas.latents.activity import LatentActivity, latent_activity
from ganvas.metrics.memorisation import Memorisation

IN_TRAINING: Final = (
    "finite",
    "generator_gradient_norms",
    "critic_gradient_norms",
    "vae_gradient_norms",
    "class_coverage",
    "discriminator_saturation",
    "critic_gap",
    "critic_gradient",
    "active_units",
)
"""Names of all findings that a run can get while it trains."""


@singledispatch
def finding_on(evidence: Evidence) -> Finding:
    """The finding that a piece of evidence gives.

    Args:
        evidence: of a kind that a check is registered for below.

    Raises:
        TypeError: there is no check for it.
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
    return posterior_collapse(latent_activity([(evidence.loc, evidence.scale)]))


@singledispatch
def findings_on(evidence: Any) -> tuple[Finding, ...]:
    """Judge what a metric has found about a model.

    Args:
        evidence: of a kind that a check is registered for below.

    Raises:
        TypeError: there is no check for it.
    """
    raise TypeError(f"evidence: no check for {type(evidence).__name__}; register one in ganvas.health.findings")


@findings_on.register
def _(evidence: LatentActivity) -> tuple[Finding, ...]:
    return (posterior_collapse(evidence),)


@findings_on.register
def _(evidence: Memorisation) -> tuple[Finding, ...]:
    return memorisation(evidence)


def finding_on_classes(real: Features, fake: Features) -> tuple[Finding, ...]:
    """Whether the samples have all classes, where the extractor's classes are those of the reference's images.

    Args:
        real: features of the reference.
        fake: features of the samples, by the same extractor.

    Returns:
        One finding; none without logits, or where the reference lacks a class of the extractor.
    """
    if real.logits is None or fake.logits is None:
        return ()
    counts = real.logits.argmax(1).bincount(minlength=real.logits.shape[1])
    return finding_on_predictions(counts, fake.logits.argmax(1))


def finding_on_predictions(real: Int64[Tensor, " k"], fake: Int64[Tensor, " n"]) -> tuple[Finding, ...]:
    """The same from predicted classes.

    Args:
        real: how often each class is predicted for the reference.
        fake: predicted class of each sample.

    Returns:
        One finding; none without samples, or where the reference lacks a class of the extractor.
    """
    # A class that no real image shows is none of the data's: the 1008 of the Inception are not classes of faces.
    return (class_coverage(fake, real),) if len(fake) and bool((real > 0).all()) else ()


def by_name(findings: Iterable[Finding]) -> dict[str, dict[str, float | str]]:
    """Findings as ``result.json`` holds them.

    Args:
        findings: with different names.
    """
    return {v.name: {"value": v.value, "state": v.state, "reason": v.reason} for v in findings}


def health_metrics(findings: Iterable[Finding]) -> dict[str, float]:
    """The judged numbers by key ``health/<name>``.

    Args:
        findings: with different names.
    """
    return {f"health/{v.name}": v.value for v in findings}


def health_tags(findings: Iterable[Finding]) -> dict[str, str]:
    """``ok`` or ``warn`` by tag ``ganvas.health.<name>``.

    Args:
        findings: with different names.
    """
    return {f"ganvas.health.{v.name}": v.state for v in findings}
