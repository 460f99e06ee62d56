"""``ganvas version``: the version of ganvas and of everything that its numbers depend on."""

from __future__ import annotations

import platform

from ganvas.usage import Parser
from ganvas.versions import PACKAGES, installed


def main(arguments: list[str]) -> None:
    """Print one line for each package; nothing is imported.

    Args:
        arguments: arguments after ``ganvas version``: none.
    """
    Parser(prog="ganvas version").parse_args(arguments)
    own, *others = ((package, installed(package) or "not installed") for package in PACKAGES)
    for name, found in (own, ("python", platform.python_version()), *others):
        print(f"{name:18} {found}")
