"""CIFAR-10 in a paper's program: torchvision's download, or an array file in the folder of downloaded data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ganvas.papers.program import Desk
from ganvas.sweeps.overrides import quoted

FILE: Final = "cifar10/train.npz"
"""The 50,000 training images and their labels, for machines that torchvision cannot download to."""
HELD_OUT: Final = 10_000
"""Images of that file that take the place of the official test split."""


def cifar10(desk: Desk, node: str = "data") -> list[str]:
    """Name CIFAR-10 in overrides: the array file if there is one, else torchvision's.

    Args:
        desk: desk of the program, with the folder of downloaded data.
        node: where the data set stands in the config.
    """
    group = node if node == "data" else f"data@{node}"
    path = Path(desk.data, FILE)
    if not path.exists():
        return [f"{group}=cifar10"]
    return [f"{group}=npz", f"{node}.path={quoted(str(path.absolute()))}", f"{node}.test={HELD_OUT}"]
