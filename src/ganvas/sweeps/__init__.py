"""Sweeps: a search space, the study of its trials, and the workers that train them and may die and come back."""

from __future__ import annotations


class SweepError(Exception):
    """Raised when a sweep cannot be run as asked.

    Args:
        message: names what came, what was expected, and the fix.
        exit_code: exit code of the command: 2 for bad input, 1 for a failure.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
