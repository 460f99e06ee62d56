r"""Gradient accumulation: a batch is worked through in parts, whose gradients are added before the step.

.. math:: \nabla L = \sum_i \frac{n_i}{n} \nabla L_i,

which is the gradient of the whole batch for every loss that is a mean over examples. Batch statistics (batch
normalisation, minibatch standard deviation, the mean of a relativistic average, the best examples of top-k) are those
of a part. The moving means of LeCam and of path length move with each part, as in their authors' programs: they stand
in the loss of the same examples, so that to move them once a batch, every part would have to be computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

Shares = list[tuple[float, Mapping[str, Tensor]]]
"""Named terms of the parts of a batch, each with the part's share of the examples."""


def spans(n: int, parts: int) -> Iterator[slice]:
    """Cut n rows into parts whose sizes differ by at most one; none is empty if there are as many rows as parts.

    Args:
        n: number of rows.
        parts: number of parts, at least 1.
    """
    yield from (slice(i * n // parts, (i + 1) * n // parts) for i in range(parts))


def require_parts(name: str, n: int, parts: int, pack: int) -> None:
    """Refuse a number of examples that cannot be cut into parts of whole packs.

    Args:
        name: key of the number in the config.
        n: the number.
        parts: number of parts.
        pack: examples that the critic scores together.

    Raises:
        ValueError: a part would be empty, or would hold a piece of a pack.
    """
    if n < parts * pack or (pack > 1 and n % (parts * pack)):
        packs, wanted = (f" of whole packs of {pack}", "a multiple of") if pack > 1 else ("", "at least")
        raise ValueError(
            f"{name}={n}: accumulate={parts} cuts it into parts{packs}, expected {wanted} {parts * pack}; "
            f"write {name}={parts * pack * max(1, round(n / (parts * pack)))}"
        )


def sum_of(said: Shares) -> dict[str, Tensor]:
    """Add the terms of the parts, each weighted by its share.

    Args:
        said: terms of each part; a name has the same meaning in all of them.
    """
    if len(said) == 1:
        return dict(said[0][1])
    return {name: torch.stack([share * terms[name] for share, terms in said]).sum() for name in said[0][1]}
