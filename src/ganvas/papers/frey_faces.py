"""The Frey faces in a paper's program: 1,965 frames of a film, 28 x 20 pixels, in the folder of downloaded data.

The authors' page gives a Matlab file. No package downloads it, so the file is made by hand, as
``experiments/aevb_figure2/README.md`` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ganvas.data import DataError
from ganvas.papers.program import Desk
from ganvas.sweeps.overrides import quoted

FILE: Final = "frey_faces.npz"
HELD_OUT: Final = 400
"""Frames of the test split, drawn at random; the paper states none."""


def frey_faces(desk: Desk) -> list[str]:
    """Name the Frey faces in overrides.

    Args:
        desk: desk of the program, with the folder of downloaded data.

    Raises:
        DataError: the file is not there.
    """
    path = Path(desk.data, FILE).absolute()
    if not path.exists():
        raise DataError(f"{path} is missing; experiments/aevb_figure2/README.md says how to make it")
    return ["data=npz", f"data.path={quoted(str(path))}", f"data.test={HELD_OUT}"]
