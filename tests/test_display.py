"""Progress on terminals and in files."""

import io
import itertools
import sys

import pytest
from rich.console import Console

from ganvas import display
from ganvas.display import clock, counted, duration, stages_shown
from ganvas.storage.best_effort import best_effort_stdout, complain, status


def ticking(monkeypatch, step):
    """A clock that goes on by ``step`` seconds with each look at it."""
    now = itertools.count()
    monkeypatch.setattr(display.time, "monotonic", lambda: 1.0 + step * next(now))


def run(batches, console):
    with stages_shown("gan", console):
        return list(counted("samples drawn", batches, 30))


@pytest.mark.parametrize("step, shown", [(0.01, False), (1.0, True)])
def test_a_stage_is_shown_on_a_terminal_once_it_takes_long(monkeypatch, step, shown):
    ticking(monkeypatch, step)
    batches, file = [range(10)] * 3, io.StringIO()
    assert run(batches, Console(file=file, force_terminal=True, width=80)) == batches
    assert ("20/30 samples drawn" in file.getvalue()) is shown


def test_a_stage_in_a_file_has_a_line_for_each_half_minute(monkeypatch):
    ticking(monkeypatch, 12.0)
    file = io.StringIO()
    run([range(10)] * 3, Console(file=file))
    assert file.getvalue().splitlines() == ["gan 20/30 samples drawn  1/s  0:12 left"]


def test_nothing_is_shown_where_nobody_asked(monkeypatch, capsys):
    ticking(monkeypatch, 100.0)
    assert list(counted("samples drawn", [range(10)] * 3, 30)) == [range(10)] * 3
    assert capsys.readouterr() == ("", "")


def test_times_are_written_as_clocks_and_in_words():
    assert [clock(s) for s in (0.0, 61.0, 3725.0)] == ["0:00", "1:01", "1:02:05"]
    assert [duration(s) for s in (0.0, 59.0, 61.0, 3600.0, 9600.0)] == ["1 s", "59 s", "1 min", "1 h", "2 h 40 min"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("file, seen", [(Terminal(), "\r\x1b[2Kcomposing\r\x1b[2Kdone\n"), (io.StringIO(), "done\n")])
def test_a_status_gives_way_to_the_next_output_and_stays_out_of_files(monkeypatch, file, seen):
    monkeypatch.setattr(sys, "stdout", file)
    with best_effort_stdout():
        status("composing")
        print("done")
    assert file.getvalue() == seen


def test_a_status_gives_way_to_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", file := Terminal())
    with best_effort_stdout():
        status("composing")
        complain("wrong")
    assert file.getvalue().endswith("composing\r\x1b[2K") and "wrong" in capsys.readouterr().err
