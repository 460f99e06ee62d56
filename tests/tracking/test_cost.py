"""What a run costs is booked however it ends, and adds up over its attempts."""

import sys
import time
from types import SimpleNamespace

import pytest

from ganvas.tracking.cost import CPU, ENERGY, GPU, booked
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.run import Run


class Book(Run):
    id = "book"

    def __init__(self, **standing):
        self.standing, self.found = standing, {}

    def latest(self, prefix):
        return {f"{prefix}{name}": value for name, value in self.standing.items()}

    def metrics(self, values, step):
        self.found = dict(values)

    def params(self, flat):
        raise NotImplementedError

    image = tags = text = artifact = dataset = view = persist = flush = params


def burn(seconds):
    end = time.process_time() + seconds + 0.02  # the system counts in hundredths
    while time.process_time() < end:
        pass


@pytest.fixture
def no_codecarbon(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_processor_time_is_counted_and_waiting_is_not(no_codecarbon):
    book = Book()
    with booked(book, gpus=0):
        burn(0.2)
        time.sleep(0.5)
    assert set(book.found) == {CPU}
    assert 0.2 <= book.found[CPU] * 3600 < 0.45


def test_gpus_are_counted_by_the_clock_and_attempts_add_up(no_codecarbon):
    book, began = Book(cpu_hours=2.0, gpu_hours=1.0), time.monotonic()
    with pytest.raises(KeyError), booked(book, gpus=4):
        burn(0.1)
        time.sleep(0.3)
        raise KeyError
    assert 0.1 <= (book.found[CPU] - 2.0) * 3600 < 0.3
    passed = time.monotonic() - began  # on a busy machine more than what was burnt and slept
    assert 4 * 0.4 <= (book.found[GPU] - 1.0) * 3600 <= 4 * passed


def test_energy_is_codecarbons_where_it_is_installed(monkeypatch):
    class Meter:
        def __init__(self, **options):
            assert options["save_to_file"] is False and options["country_iso_code"]
            self.final_emissions_data = None

        def start(self):
            pass

        def stop(self):
            self.final_emissions_data = SimpleNamespace(energy_consumed=0.25)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "codecarbon" or None)
    monkeypatch.setitem(sys.modules, "codecarbon", SimpleNamespace(OfflineEmissionsTracker=Meter))
    book = Book(energy_kwh=1.0)
    with booked(book, gpus=0):
        pass
    assert book.found[ENERGY] == 1.25


def test_a_run_that_goes_on_adds_to_its_costs(store, no_codecarbon):
    totals = []
    run_id = None
    for _ in range(2):
        with MlflowRun.start("costs", "a run", {}, run_id=run_id, output=store) as run:
            run_id = run.id
            with booked(run, gpus=0):
                burn(0.1)
        with MlflowRun.start("costs", "a run", {}, run_id=run_id, output=store) as run:
            totals.append(run.latest("cost/")[CPU] * 3600)
    assert totals[0] >= 0.1 and totals[1] >= totals[0] + 0.1
