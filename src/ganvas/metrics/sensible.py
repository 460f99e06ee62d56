"""Smallest number of images at which a score is worth reading, and the note on a score of fewer.

It decides nothing: a score of fewer images has the same value and the same fingerprint, and a note beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

PLURALS: Final = {"feature": "features", "class": "classes"}
"""What a number of images can be counted for, and its plural."""


@final
@dataclass(frozen=True)
class SensibleN:
    """Smallest sensible number of images of a metric.

    Args:
        images: number of images, at least 2 in all; of each side, if the metric compares two.
        why: what a score of fewer images suffers from, and who says so; the end of the note, without a full stop.
        per: ``feature`` or ``class`` if ``images`` counts for each one that the extractor has; empty for all together.

    Raises:
        ValueError: ``per`` is none of these.
    """

    images: int
    why: str
    per: str = ""

    def __post_init__(self) -> None:
        if self.per and self.per not in PLURALS:
            raise ValueError(f"per: expected {' or '.join(PLURALS)}, got '{self.per}'; leave it out to count them all")

    def __str__(self) -> str:
        """Text for the docs' table."""
        return f"{self.images:,} for each {self.per}" if self.per else f"{self.images:,}"

    def least(self, sizes: Mapping[str, int | None]) -> int:
        """Return the smallest sensible number; 0 if the extractor's size that it depends on is unknown.

        Args:
            sizes: number of features and of classes of the extractor, by ``feature`` and ``class``.
        """
        return self.images * ((sizes.get(self.per) or 0) if self.per else 1)

    def notes(self, n: int | None, sizes: Mapping[str, int | None], extractor: str) -> tuple[str, ...]:
        """Make the note on a score of ``n`` images, if these are too few.

        Args:
            n: number of images of the smaller side; None if it is unknown.
            sizes: see :meth:`least`.
            extractor: name of the extractor.
        """
        least = self.least(sizes)
        if n is None or n >= least:
            return ()
        times = "" if self.images == 1 else f"{self.images} times "
        counted = f", {times}the number of {PLURALS[self.per]} of {extractor}" if self.per else ""
        return (f"n={n} is below {least}{counted}: {self.why}",)
