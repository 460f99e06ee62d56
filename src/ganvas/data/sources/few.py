"""A few examples of another data set: to see what a model does with little data.

The training split is cut, with its classes in their shares; validation and test split stay whole. A smaller number
takes a part of what a larger one takes, and the choice depends on the data set alone, not on the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ganvas.data.hold_out import hold_out
from ganvas.data.source import DataError, Examples, Source, TensorExamples, require_shape


@final
class Few(Source):
    """A data set of which only some training examples are used.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: shape of one example of ``source``.
        source: the whole data set.
        train: number of training examples, from 1 to fewer than ``source`` has.

    Raises:
        DataError: another shape, or no example.
    """

    def __init__(self, name: str, shape: Sequence[int], source: Source, train: int) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, source.shape)
        if train < 1:
            raise DataError(f"train={train}: expected at least 1 example; set data.train.")
        self.source, self.train = source, train
        self.classes, self.factors, self.place = source.classes, source.factors, source.place

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return self.source.splits

    def remarks(self) -> tuple[str, ...]:
        """See :meth:`~ganvas.data.source.Source.remarks`."""
        return self.source.remarks()

    def _load(self, split: str) -> Examples:
        examples = self.source.load(split)
        if split != "train":
            return examples
        _, index = hold_out(len(examples), self.train, examples.labels, argument="train")
        labels, factors = (None if known is None else known[index] for known in (examples.labels, examples.factors))
        return TensorExamples(examples.batch(index), labels, factors=factors)
