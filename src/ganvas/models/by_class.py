"""Examples of several classes from the same latents, for pictures with a row a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import DrawsClasses

MOST_ROWS: Final = 32
"""Most classes of a picture; with more, each image is too small to see."""


def rows_of_classes(model: DrawsClasses, classes: Sequence[int], columns: int, seed: int) -> Float[Tensor, " n *shape"]:
    """Draw a row of examples of each class; all rows have the same latents, so that only the class differs.

    Args:
        model: a conditional model.
        classes: class of each row, at least one; those after :data:`MOST_ROWS` are left out.
        columns: examples in a row, at least 1.
        seed: of the latents.
    """
    shown = torch.tensor(classes[:MOST_ROWS])
    z = model.prior.sample(columns, generator=torch.Generator().manual_seed(seed))
    return model.decoded(z.repeat(len(shown), 1), shown.repeat_interleave(columns))


def across_classes(rows: Float[Tensor, " n *shape"], columns: int) -> Float[Tensor, " m *shape"]:
    """Take one example of each column of :func:`rows_of_classes`, of one class after the other.

    Args:
        rows: all examples of the picture, row by row.
        columns: examples in a row.
    """
    by_row = rows.unflatten(0, (-1, columns))
    at = torch.arange(columns)
    return by_row[at % len(by_row), at]
