"""Evidence for health checks: the numbers that a model provides, one class for each kind of check.

The model, its objective and its constraint decide which evidence they provide; :mod:`ganvas.health.findings` judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.types import Batch, Prior


class Evidence:
    """Abstract: the input of one check."""


@final
@dataclass(frozen=True, eq=False)
class Logged(Evidence):
    """The logged terms of the model.

    Args:
        series: logged values by name of the term, oldest first, at least one series.
    """

    series: Mapping[str, Float[Tensor, " t"]]


@final
@dataclass(frozen=True, eq=False)
class GradientNorms(Evidence):
    """Norms of one optimiser's gradient over training.

    Args:
        player: ``generator``, ``critic``, ``vae``, ``encoder`` or ``prior``.
        norms: norm at each logged update, before clipping, at least one.
    """

    player: str
    norms: Float[Tensor, " t"]


@final
@dataclass(frozen=True, eq=False)
class PrivacyLoss(Evidence):
    r"""Differential privacy of the updates so far.

    Args:
        epsilon: :math:`\varepsilon`, nats.
        delta: :math:`\delta`.
        noise: standard deviation of the noise, in units of the largest gradient of an example.
        updates: number of private updates.
        share: share of the training examples in a batch.
    """

    epsilon: float
    delta: float
    noise: float
    updates: int
    share: float


@final
@dataclass(frozen=True, eq=False)
class DiscriminatorLoss(Evidence):
    """Loss and scores of the discriminator at the last logged updates.

    Args:
        loss: loss without penalty, at least one value.
        real_score: mean score of real examples.
        fake_score: mean score of generated examples.
        chance: loss of the best constant score, positive.
    """

    loss: Float[Tensor, " t"]
    real_score: Float[Tensor, " t"]
    fake_score: Float[Tensor, " t"]
    chance: float


@final
@dataclass(frozen=True, eq=False)
class CriticScores(Evidence):
    """Scores by the critic with its present weights.

    Args:
        train: scores of training examples, at least 2.
        held_out: scores of real examples that the critic was not trained on, at least 2.
        fake: scores of generated examples, at least 2.
    """

    train: Float[Tensor, " n"]
    held_out: Float[Tensor, " m"]
    fake: Float[Tensor, " k"]


@final
@dataclass(frozen=True, eq=False)
class InputGradients(Evidence):
    """Norms of the critic's gradient with respect to its input, for a penalty that demands a certain norm.

    Args:
        norms: norms at newly drawn points, drawn as the penalty draws them, at least one.
        target: the norm that the penalty demands, positive.
        one_sided: whether the penalty allows norms below the target.
    """

    norms: Float[Tensor, " n"]
    target: float
    one_sided: bool


@final
@dataclass(frozen=True, eq=False)
class Posterior(Evidence):
    """The approximate posterior of held-out examples.

    Args:
        loc: posterior means.
        scale: posterior standard deviations.
        prior: distribution of the latents.
        groups: numbers of latents of the groups of a hierarchy, the top group first; None without groups.
    """

    loc: Float[Tensor, "n d"]
    scale: Float[Tensor, "n d"]
    prior: Prior
    groups: tuple[int, ...] | None = None


@final
@dataclass(frozen=True, eq=False)
class UsedCodes(Evidence):
    """The codes of held-out examples, for the number of them that occur.

    Args:
        counts: number of each of k codes, for each level of codes at a place.
    """

    counts: Int64[Tensor, "l k"]


@final
@dataclass(frozen=True, eq=False)
class CodePerplexity(Evidence):
    """The codes of held-out examples, for how evenly they are used.

    Args:
        counts: number of each of k codes, for each level of codes at a place.
    """

    counts: Int64[Tensor, "l k"]


@runtime_checkable
class ShowsEvidence(Protocol):
    """A model that provides evidence for health checks."""

    images_seen: int

    def evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """Collect evidence from training examples, held-out examples (None if there are none) and logged terms."""
        ...
