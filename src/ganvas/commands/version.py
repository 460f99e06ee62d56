"""``ganvas version``: the version of ganvas and of everything that its numbers depend on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ganvas.usage import Parser

PACKAGES: Final = (
    "ganvas",
    "torch",
    "torchvision",
    "pytorch-lightning",
    "hydra-core",
    "mlflow",
    "optuna",
    "torchmetrics",
    "torch-fidelity",
    "numpy",
)


def main(arguments: list[str]) -> None:
    """Print one line for each package; nothing is imported.

    Args:
        arguments: arguments after ``ganvas version``: none.
    """
    Parser(prog="ganvas version").parse_args(arguments)
    own, *others = PACKAGES
    for name, found in (
        (own, _version(own)),
        ("python", platform.python_version()),
        *((p, _version(p)) for p in others),
    ):
        print(f"{name:18} {found}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
