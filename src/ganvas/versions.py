"""Versions of the packages that numbers depend on; none of them is imported."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Final

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
"""As they are installed."""


@cache  # each look-up reads the metadata of a package from the disk
def installed(package: str) -> str | None:
    """Look up the version of a package; None if it is not installed.

    Args:
        package: its name, as it is installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
