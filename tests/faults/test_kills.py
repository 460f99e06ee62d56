"""Sixty runs of eight kinds, each killed at a random moment and resumed: they end as the undisturbed ones."""

import random

import pytest

from .forked import Faults, command
from .kinds import KINDS, line
from .outcomes import differences, outcome, settle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CASES = [(kind, case) for case in range(8) for kind in KINDS][:60]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_a_killed_run_ends_as_if_nothing_had_been(kind, case, fresh, undisturbed):
    """Odd cases are killed between two statements that write, even ones at a moment of the clock."""
    expected, points = undisturbed(kind)
    rng, folder = random.Random(f"{kind} {case}"), fresh()
    for _ in range(rng.choice([1, 1, 2])):
        resume = ["resume=auto"] if (folder / "out").exists() else []
        if case % 2:
            command(folder, [*line(kind), *resume], Faults(kill=rng.randint(1, points)))
        else:
            command(folder, [*line(kind), *resume], after=rng.uniform(0.3, 3.0))
    settle(folder, line(kind))
    assert differences(outcome(folder), expected) == []
