"""A game looked at from outside: scores, generated examples and gradients of the critic, as evidence of its health."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import DiscriminatorLoss, Evidence, InputGradients
from ganvas.objectives import Adversarial as AdversarialObjective
from ganvas.objectives import Divergence
from ganvas.types import Batch

if TYPE_CHECKING:
    from ganvas.models.adversarial import Adversarial

EVIDENCE_BATCH = 100
"""Largest number of scores in one pass of a health check, since gradients keep the graph of the pass in memory."""

RECENT = 50
"""Number of last logged updates that judge the discriminator: a quarter of a run at the default ``log.every``."""


def recent_loss(objective: AdversarialObjective, history: Mapping[str, Float[Tensor, " t"]]) -> tuple[Evidence, ...]:
    """Return the critic's recent loss and its chance level; nothing for a critic without one, or before its first turn.

    Args:
        objective: losses of the game.
        history: logged values by term, oldest first.
    """
    if "critic/total" not in history or not isinstance(objective, Divergence):
        return ()
    loss, real, fake = (history[f"critic/{name}"][-RECENT:] for name in ("total", "real_score", "fake_score"))
    return (DiscriminatorLoss(loss, real, fake, objective.chance),)


def scores_of(model: Adversarial, x: Tensor, y: Tensor | None) -> Tensor:
    """Compute scores without a graph; examples that do not fill a pack are left out.

    Args:
        model: the game.
        x: examples.
        y: their classes, if there are any.
    """
    with torch.no_grad():
        return torch.cat([model.judge(labels)(chunk) for chunk, labels in _chunks(model, x, y)])


def input_gradients_of(model: Adversarial, real: Batch) -> tuple[InputGradients, ...]:
    """Compute the gradient norms that the constraint compares with its target; empty if it has no target norm.

    Args:
        model: the game.
        real: real examples.
    """
    pairs = zip(_chunks(model, real.x, real.y), _chunks(model, fakes_of(model, real), None), strict=True)
    parts = [model.constraint.input_gradients(model.judge(y), x, fake) for (x, y), (fake, _) in pairs]
    found = [part for part in parts if part is not None]
    if not found:
        return ()
    return (InputGradients(torch.cat([part.norms for part in found]), found[0].target, found[0].one_sided),)


def fakes_of(model: Adversarial, like: Batch) -> Tensor:
    """Generate examples with the raw weights, as the critic sees them in training.

    Args:
        model: the game.
        like: examples of the same number and classes.
    """
    with torch.no_grad():
        z = model.prior.sample(len(like), device=model.device)
        labels = _labels(like.y, EVIDENCE_BATCH)
        chunks = zip(z.split(EVIDENCE_BATCH), labels, strict=False)
        return torch.cat([model.call(model.generator, chunk, y) for chunk, y in chunks])


def _chunks(model: Adversarial, x: Tensor, y: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    size, whole = EVIDENCE_BATCH * model.pack, len(x) - len(x) % model.pack
    yield from zip(x[:whole].split(size), _labels(y if y is None else y[:whole], size), strict=False)


def _labels(y: Tensor | None, size: int) -> Iterator[Tensor | None]:
    """Yield classes in chunks; None without end if there are no classes."""
    return repeat(None) if y is None else iter(y.split(size))
