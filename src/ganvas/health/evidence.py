"""What a model shows of its state for a health check: numbers only, judged in :mod:`ganvas.health.findings`.

The model, its objective and its constraint say which of these belong to them; there is one class a kind of check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from ganvas.types import Batch


class Evidence:
    """Abstract: what one check is made from."""


@final
@dataclass(frozen=True, eq=False)
class Logged(Evidence):
    """All that was logged of the model's terms.

    Args:
        series: values by name, oldest first, at least one series.
    """

    series: Mapping[str, Float[Tensor, " t"]]


@final
@dataclass(frozen=True, eq=False)
class GradientNorms(Evidence):
    """Norms of one optimiser's gradient over training.

    Args:
        player: whose: ``generator``, ``critic`` or ``vae``.
        norms: at each logged update, before clipping, at least one.
    """

    player: str
    norms: Float[Tensor, " t"]


@final
@dataclass(frozen=True, eq=False)
class DiscriminatorLoss(Evidence):
    """How the discriminator did at the last logged updates.

    Args:
        loss: without penalty, at least one.
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
    """A critic's scores now.

    Args:
        train: of training examples, at least 2.
        held_out: of real examples that it was not trained on, at least 2.
        fake: of generated examples, at least 2.
    """

    train: Float[Tensor, " n"]
    held_out: Float[Tensor, " m"]
    fake: Float[Tensor, " k"]


@final
@dataclass(frozen=True, eq=False)
class InputGradients(Evidence):
    """Norms of the critic's gradient by its input, where a penalty asks for a norm.

    Args:
        norms: at fresh points of the kind that the penalty draws, at least one.
        target: norm asked for, positive.
        one_sided: whether norms below the target are free.
    """

    norms: Float[Tensor, " n"]
    target: float
    one_sided: bool


@final
@dataclass(frozen=True, eq=False)
class Posterior(Evidence):
    """The approximate posterior of held-out examples.

    Args:
        loc: means.
        scale: standard deviations.
    """

    loc: Float[Tensor, "n d"]
    scale: Float[Tensor, "n d"]


@runtime_checkable
class ShowsEvidence(Protocol):
    """A model that shows evidence of its health."""

    images_seen: int

    def evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """Evidence from some training examples, held-out ones if there are any, and the logged terms."""
        ...
