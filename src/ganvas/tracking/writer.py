"""A thread that delivers one queue of a journal in the background, so that training never waits for a disk or a server.

Deliveries are at least some seconds apart: each holds the interpreter's lock for some milliseconds, in any thread, so
only few of them keep the loop fast. After a failure the pauses grow; nothing is dropped, since the journal is on disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, final

from ganvas.tracking.outcomes import reason

_logger = logging.getLogger("ganvas.tracking")

_INTERVAL = 5.0
"""Seconds between two deliveries."""
_LONGEST: Final = 60.0
"""Longest pause after failures, in seconds."""
_FIRST_RETRY: Final = 0.5
"""Seconds before the first retry while somebody waits; each further pause is twice as long."""


@final
class Writer:
    """Delivers at intervals, and at once while somebody waits.

    Args:
        name: of the thread.
        deliver: delivers all there is; raises if the store does not take it.
        first: called before each delivery; must not raise.
    """

    def __init__(self, name: str, deliver: Callable[[], None], first: Callable[[], None] = lambda: None) -> None:
        self._deliver, self._first = deliver, first
        self._wake = threading.Event()
        self._round = threading.Condition()
        self._rounds = self._failures = 0
        self._closing = False
        self.error: Exception | None = None
        """Reason why the latest delivery failed; None if it did not."""
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def settle(self, done: Callable[[], bool], timeout: float, tries: int) -> bool:
        """Wait until all is delivered.

        Args:
            done: whether all is delivered.
            timeout: longest time to wait, in seconds.
            tries: number of failed deliveries after which to give up.

        Returns:
            Whether all is delivered.
        """
        end, failed = time.monotonic() + timeout, 0
        while not done() and failed < tries:
            if failed:
                time.sleep(max(0.0, min(_FIRST_RETRY * 2 ** (failed - 1), end - time.monotonic())))
            if not self._one_round(end - time.monotonic()):
                return False
            failed = failed + 1 if self.error is not None else 0
        return done()

    def close(self, timeout: float) -> bool:
        """End the thread.

        Args:
            timeout: longest time to wait for it, in seconds; a thread that hangs is left behind.

        Returns:
            Whether it has ended.
        """
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _one_round(self, timeout: float) -> bool:
        """Wait for the end of a delivery that begins now; whether it came in time."""
        with self._round:
            rounds = self._rounds
            self._wake.set()
            return self._round.wait_for(lambda: self._rounds > rounds, max(0.0, timeout))

    def _work(self) -> None:
        while True:
            self._wake.wait(min(_INTERVAL * 2 ** min(self._failures, 8), max(_LONGEST, _INTERVAL)))
            self._wake.clear()
            if self._closing:
                return
            self._first()
            self._try()

    def _try(self) -> None:
        error: Exception | None = None
        try:
            self._deliver()
        except Exception as raised:
            error = raised
        if error is not None and self._failures == 0:
            _logger.warning(
                "the store does not take the log: %s: %s. Training goes on; the log is kept beside the results.",
                *(type(error).__name__, reason(error)),
            )
        with self._round:
            self.error = error
            self._failures = 0 if error is None else self._failures + 1
            self._rounds += 1
            self._round.notify_all()
