"""What a model asks of the networks that it is given, checked at construction."""

from __future__ import annotations

from torch import nn


def require_part(name: str, part: object, *promised: str) -> None:
    """Refuse a part that is no network, or lacks what the model asks of it.

    Args:
        name: name of the part.
        part: the part as given.
        promised: attributes that it must have.

    Raises:
        ValueError: names the part, what it is and what it lacks.
    """
    kind = type(part).__name__
    if not isinstance(part, nn.Module):
        raise ValueError(f"{name}: expected a network (torch.nn.Module), got {kind}; write its _target_ and arguments")
    if lacking := [attribute for attribute in promised if not hasattr(part, attribute)]:
        raise ValueError(
            f"{name}: {kind} lacks {' and '.join(lacking)}, which the model reads; set it in the constructor "
            f"({', '.join(promised)})"
        )
