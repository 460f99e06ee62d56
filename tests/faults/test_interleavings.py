"""Whatever the order of kills, stops, outages and syncs: the end is that of the undisturbed run (hypothesis)."""

import os
import signal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .forked import Faults, command, statuses
from .kinds import line
from .outcomes import differences, outcome, said, settle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
EXAMPLES = int(os.environ.get("GANVAS_TEST_EXAMPLES", "25"))
POINTS = st.integers(1, 400)
"""A training passes some 350 points; a number beyond its last does nothing."""

killed = st.builds(lambda n: ("train", Faults(kill=n)), POINTS)
stopped = st.builds(lambda n: ("train", Faults(kill=n, by=signal.SIGTERM)), POINTS)
away = st.builds(lambda n, length: ("train", Faults(away=(n, n + length))), POINTS, st.integers(1, 150))
killed_while_away = st.builds(
    lambda n, length, k: ("train", Faults(kill=n + k, away=(n, n + length))), POINTS, st.integers(1, 150), POINTS
)
synced = st.just(("sync", Faults()))
sync_killed = st.builds(lambda n: ("sync", Faults(kill=n)), st.integers(1, 60))
sync_away = st.builds(lambda n: ("sync", Faults(away=(n, n + 20))), st.integers(1, 60))
steps = st.one_of(killed, stopped, away, killed_while_away, synced, sync_killed, sync_away)


def take(folder, arguments, step):
    """One step; a command ends well, fails for the store, or is ended by the signal, and nothing else."""
    what, faults = step
    if what == "sync" and not (folder / "out").exists():
        return
    if what == "train" and "FINISHED" in statuses(folder).values():
        return
    resume = ["resume=auto"] if (folder / "out").exists() else []
    code, _ = command(folder, [*arguments, *resume] if what == "train" else ["sync", "out"], faults)
    allowed = {0, 1, -faults.by, 128 + faults.by} if faults.kill else {0, 1}
    assert code in allowed and "Traceback" not in said(folder), said(folder)


@pytest.mark.parametrize("kind", ["wgan_gp", "vae"])
def test_any_order_of_faults_ends_as_if_nothing_had_been(kind, fresh, undisturbed):
    expected, _ = undisturbed(kind)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="GANVAS_TEST_EXAMPLES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(steps, min_size=1, max_size=5))
    @example([("train", Faults(kill=85, by=signal.SIGTERM))])  # between a step and its scores
    @example([("train", Faults(away=(1, 10_000))), ("sync", Faults(kill=3)), ("sync", Faults(kill=5))])
    def holds(sequence):
        folder = fresh()
        for step in sequence:
            take(folder, line(kind), step)
        settle(folder, line(kind))
        assert differences(outcome(folder), expected) == []

    holds()
