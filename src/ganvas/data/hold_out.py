r"""Splits held out of a larger one: part of a data set's definition, hence independent of the run's seed.

With labels the held-out part is stratified: of :math:`N` examples, :math:`N_c` of class :math:`c`, it takes
:math:`\lfloor m N_c / N \rfloor` or one more, by largest remainder, so that exactly :math:`m` are taken.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ganvas.data.source import DataError

SPLIT_SEED = 20250101


def hold_out(
    n: int, held: int, labels: Int64[Tensor, " n"] | None, *, argument: str
) -> tuple[Int64[Tensor, " kept"], Int64[Tensor, " held"]]:
    """Choose which of ``n`` examples are held out.

    Args:
        n: number of examples.
        held: number of examples to hold out, ``0 <= held < n``.
        labels: classes to stratify by; None ignores classes.
        argument: key of the config, for the message.

    Returns:
        Positions kept and positions held out, each ascending.

    Raises:
        DataError: ``held`` is out of range.
    """
    if not 0 <= held < n:
        raise DataError(f"{argument}={held}: must be at least 0 and below the {n} examples it is held out of.")
    classes = np.zeros(n, dtype=np.int64) if labels is None else labels.numpy()
    mask = np.zeros(n, dtype=bool)
    # RandomState, since NumPy guarantees its stream for ever; a split must not move with a library's version.
    random = np.random.RandomState(SPLIT_SEED)
    for members, quota in zip(*_quotas(classes, held), strict=True):
        mask[random.permutation(members)[:quota]] = True
    return torch.from_numpy(np.flatnonzero(~mask)), torch.from_numpy(np.flatnonzero(mask))


def three_splits(n: int, val: int, test: int, labels: Int64[Tensor, " n"] | None = None) -> dict[str, Tensor]:
    """Choose train, val and test split of ``n`` examples; the test split does not depend on ``val``.

    Args:
        n: number of examples.
        val: number of validation examples.
        test: number of test examples.
        labels: classes to stratify by; None ignores classes.

    Returns:
        Positions of each split, ascending.

    Raises:
        DataError: see :func:`hold_out`.
    """
    rest, held = hold_out(n, test, labels, argument="test")
    train, validation = hold_out(len(rest), val, None if labels is None else labels[rest], argument="val")
    return {"train": rest[train], "val": rest[validation], "test": held}


def _quotas(classes: np.ndarray, held: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the members of each class and how many of them to take: by largest remainder, ties to the lower class."""
    members = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    scaled = held * np.array([len(m) for m in members], dtype=np.int64)
    quota, remainder = np.divmod(scaled, len(classes))
    quota[np.argsort(-remainder, kind="stable")[: held - quota.sum()]] += 1
    return members, quota
