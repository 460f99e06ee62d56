"""Checks of the networks that a model is built from, and the parameter that a likelihood asks for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ganvas.objectives import Likelihood, ReconstructionLoss
from ganvas.types import Conditional, Shape


def require_part(name: str, part: object, *promised: str) -> None:
    """Refuse a part that is no network, or that lacks an attribute that the model reads.

    Args:
        name: name of the part.
        part: the part as given.
        promised: attributes that the model reads.

    Raises:
        ValueError: names the part, its class and the missing attributes.
    """
    kind = type(part).__name__
    if not isinstance(part, nn.Module):
        raise ValueError(f"{name}: expected a network (torch.nn.Module), got {kind}; write its _target_ and arguments")
    if lacking := [attribute for attribute in promised if not hasattr(part, attribute)]:
        raise ValueError(
            f"{name}: {kind} lacks {' and '.join(lacking)}, which the model reads; set it in the constructor "
            f"({', '.join(promised)})"
        )


def common_classes(parts: Mapping[str, nn.Module]) -> int | None:
    """Number of classes that the conditional networks know; None without such a network.

    Args:
        parts: networks by name.

    Raises:
        ValueError: they know different numbers.
    """
    found = {name: part.classes for name, part in parts.items() if isinstance(part, Conditional)}
    if len(set(found.values())) > 1:
        raise ValueError(f"networks are conditional on different numbers of classes: {found}; give all the same")
    return next(iter(found.values()), None)


def learned_scale(likelihood: Likelihood | ReconstructionLoss, shape: Shape) -> nn.Parameter | None:
    """Make the log scale that the likelihood learns, at its first value; None if it has none, or a fixed one.

    Args:
        likelihood: distribution of an example, or a loss in its place.
        shape: shape of one example.
    """
    if not isinstance(likelihood, Likelihood) or not likelihood.learned_scale:
        return None
    # One scale for each channel: a scale for each pixel would go to 0 for pixels that never change.
    broadcast = (shape[0],) + (1,) * (len(shape) - 1)
    return nn.Parameter(torch.full(broadcast, likelihood.initial_log_scale))
