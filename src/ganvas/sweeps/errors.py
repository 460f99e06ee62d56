"""What a sweep refuses."""

from __future__ import annotations


class SweepError(Exception):
    """The sweep cannot be run as asked: bad input, told in one message.

    Args:
        message: names what came, what was expected, and the fix.
        exit_code: of the command.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
