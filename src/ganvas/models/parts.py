"""A check of the networks that a model is built from."""

from __future__ import annotations

from torch import nn


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
