"""One form for errors about a field of an objective: the argument, its value, the expected values and a fix."""

from __future__ import annotations


def require(holds: bool, argument: str, received: object, expected: str, fix: str) -> None:
    """Raise an error about an argument, unless a condition holds.

    Args:
        holds: the condition.
        argument: name of the argument, as in the config.
        received: the argument's value.
        expected: the accepted values, in words.
        fix: a suggestion in words, as a sentence.

    Raises:
        ValueError: ``holds`` is false.
    """
    if not holds:
        raise ValueError(f"{argument}: got {received!r}, expected {expected}. {fix}")
