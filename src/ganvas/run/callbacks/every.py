r"""A clock that ticks in images seen, whenever their number reaches or passes a multiple of the period.

.. math:: \lfloor s_t / p \rfloor > \lfloor s_{t-1} / p \rfloor
"""

from __future__ import annotations


class Every:
    """Tells when another period is over.

    Args:
        images: length of the period in images, at least 1.
    """

    def __init__(self, images: int) -> None:
        if images < 1:
            raise ValueError(f"every must be at least 1 image, got {images}; leave the callback out for never")
        self._period = images
        self._passed = 0

    def start(self, seen: int) -> None:
        """Begin to count at ``seen``, which is above 0 in a resumed run.

        Args:
            seen: images seen before the first step.
        """
        self._passed = seen // self._period

    def due(self, seen: int) -> bool:
        """Whether a multiple of the period was reached since the last call.

        Args:
            seen: images seen, at least as many as at the last call.
        """
        passed = seen // self._period
        crossed = passed > self._passed
        self._passed = passed
        return crossed
