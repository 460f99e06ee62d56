"""How a wrong field of an objective is reported: which argument, what came, what was expected, how to mend it."""

from __future__ import annotations


def require(holds: bool, argument: str, received: object, expected: str, fix: str) -> None:
    """Refuse a value at construction.

    Args:
        holds: whether the value is fine.
        argument: name of the argument as the config spells it.
        received: the value that came.
        expected: what is accepted, in words.
        fix: what to write instead.

    Raises:
        ValueError: unless ``holds``.
    """
    if not holds:
        raise ValueError(f"{argument}: got {received!r}, expected {expected}. {fix}")
