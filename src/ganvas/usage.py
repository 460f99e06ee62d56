"""Parsers of options whose errors are one message, as all errors of ganvas are."""

from __future__ import annotations

import argparse
from typing import NoReturn


class UsageError(Exception):
    """A command line whose options cannot be read."""

    exit_code = 2


class Parser(argparse.ArgumentParser):
    """argparse's parser, which raises instead of printing its usage and ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise.

        Args:
            message: what is wrong, in argparse's words.
        """
        raise UsageError(f"{self.prog}: {message}; `{self.prog} --help` lists the options")
