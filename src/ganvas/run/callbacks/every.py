r"""A clock that ticks in images seen, whenever their number reaches or passes a multiple of the period.

.. math:: \lfloor s_t / p \rfloor > \lfloor s_{t-1} / p \rfloor
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


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

    def start(self, seen: int, state: Mapping[str, int] | None = None) -> None:
        """Begin to count at ``seen``, which is above 0 in a resumed run.

        Args:
            seen: images seen before the first step.
            state: what :meth:`state` returned before; a turn that it lacks is due at once. None lacks no turn.
        """
        if state is not None and state["period"] == self._period:
            self._passed = state["passed"]
        else:
            self._passed = seen // self._period

    def last(self) -> int:
        """Return the latest multiple of the period whose turn was taken, at most the images seen."""
        return self._passed * self._period

    def state(self) -> dict[str, int]:
        """Return the period, and how many of them are over whose turn was taken."""
        return {"period": self._period, "passed": self._passed}

    @contextmanager
    def turn(self, seen: int) -> Iterator[bool]:
        """Tell whether a turn is due; it counts as taken only if the block comes to its end.

        Args:
            seen: images seen, at least as many as at the last call.

        Yields:
            As :meth:`due`.
        """
        passed = seen // self._period
        yield passed > self._passed
        self._passed = passed

    def due(self, seen: int) -> bool:
        """Whether a multiple of the period was reached since the last call.

        Args:
            seen: images seen, at least as many as at the last call.
        """
        with self.turn(seen) as due:
            return due
