"""The outlook of a sweep."""

import pytest

from ganvas.sweeps import outlook
from ganvas.sweeps.outlook import Outlook


@pytest.mark.parametrize(
    "expected, done, known, said",
    [
        (None, 3, 4, "3/4 runs, 1 min left"),
        (None, 4, 4, "4/4 runs"),
        (10, 3, 4, "3/10 runs, 7 min left"),
        (2, 3, 4, "3/3 runs"),  # the study has more than this line asks for
    ],
)
def test_time_left_follows_from_the_runs_since_the_worker_began(monkeypatch, expected, done, known, said):
    monkeypatch.setattr(outlook.time, "time", lambda: 120.0)
    assert Outlook(expected, done=1, began=0.0).ahead(done, known) == said
