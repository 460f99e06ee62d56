"""The outlook of a sweep: how many of its runs have ended, and how long the others will take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

from ganvas.display import duration
from ganvas.sweeps.study import Study


@final
@dataclass(frozen=True)
class Outlook:
    """What a worker knew when it began; it can be pickled.

    Args:
        expected: number of runs of a search; None for a grid, whose trials are all in the study.
        done: runs that had ended before.
        began: time of the beginning, in seconds since 1970.
    """

    expected: int | None
    done: int
    began: float

    @classmethod
    def of(cls, study: Study, expected: int | None) -> Outlook:
        """Look at a study before its next run.

        Args:
            study: the study.
            expected: see the class.
        """
        return cls(expected, _count(study)[0], time.time())

    def said(self, study: Study) -> str:
        """Say how far the study is: ``2/4 runs, 3 min left``.

        Args:
            study: the study, after the end of a run.
        """
        return self.ahead(*_count(study))

    def ahead(self, done: int, known: int) -> str:
        """Say how far a study is; see :meth:`said`.

        Args:
            done: runs that have ended.
            known: all runs of the trials so far.
        """
        total = max(known if self.expected is None else self.expected, done)
        if done == total:
            return f"{done}/{total} runs"
        each = (time.time() - self.began) / max(done - self.done, 1)  # runs at once shorten it
        return f"{done}/{total} runs, {duration(each * (total - done))} left"


def _count(study: Study) -> tuple[int, int]:
    """Runs that have ended, and all runs of the trials so far."""
    trials = study.latest()
    return sum(job.done for t in trials for job in t.jobs.values()), sum(len(t.seeds) for t in trials)
