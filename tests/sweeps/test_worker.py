"""A worker with a launcher that is told what to do: what is launched, counted and told to the study."""

import dataclasses
from unittest.mock import Mock

import pytest
from optuna.trial import TrialState

from ganvas.storage.checkpoints import write
from ganvas.sweeps.dimensions import Choice, Reals
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import checkpoint
from ganvas.sweeps.lease import Leases
from ganvas.sweeps.pruning import make_pruner
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space
from ganvas.sweeps.storage import open_storage, storage_url
from ganvas.sweeps.study import Job, Study
from ganvas.sweeps.worker import Places, Worker
from ganvas.tracking.outcomes import ERROR, FINISHED, INTERRUPTED
from ganvas.tracking.provenance import config_hash

KEY = "score/m/fd"
SETTINGS = Settings("grid", 1, None, "none", (), (KEY,), ("minimize",), "mean", None, 1, None)
TWO = Space({}, {"a": Choice(("1", "2"))}, seeds=(1, 2))


class Bench:
    """A study, its worker, and a list of what was launched."""

    def __init__(self, folder, settings=SETTINGS, space=TWO):
        self.study = Study(
            "s",
            open_storage(storage_url(f"sqlite:///{folder}/sweeps.db")),
            list(settings.directions),
            make_pruner("none", 1, 9),
        )
        self.hierarchy = Mock(spec=Hierarchy)
        self.hierarchy.begin_trial.side_effect = lambda t: f"run {t.number}"
        self.hierarchy.failed_run.return_value = "failed"
        self.hierarchy.seed_run.return_value = "begun"
        self.settings, self.space, self.places = settings, space, Places(folder, "")
        self.launched = []
        self.ends = {}
        self.dying = set()

    def work(self):
        leases = Leases(self.study, self.hierarchy, self.settings, self.space, config_hash)
        leases.prepare()
        Worker(self.study, self.hierarchy, self.settings, leases, self.places, ["model=gan"], self.launch).work()

    def launch(self, jobs, first):
        for overrides in jobs:
            values = dict(o.split("=", 1) for o in overrides)
            self.launched.append(values)
            number, seed = int(values["tracking.trial"]), int(values["seed"])
            trial = next(t for t in self.study.trials() if t.number == number)
            default = Job("done", FINISHED, scores={KEY: 10.0 * number + seed}, run_id="r", output="o")
            if (number, seed) in self.dying:  # begun, and never heard of again
                default = dataclasses.replace(trial.jobs.get(seed, Job()), state="running")
            self.study.set_job(trial.id, seed, self.ends.get((number, seed), default))

    @property
    def pairs(self):
        return [(int(v["tracking.trial"]), int(v["seed"])) for v in self.launched]


pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_each_job_is_launched_once_and_its_mean_is_told(bench):
    bench.work()
    assert bench.pairs == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert [trial.value for trial in bench.study.optuna.trials] == [1.5, 11.5]
    assert all(values["model"] == "gan" and values["a"] in "12" for values in bench.launched)
    bench.work()
    assert len(bench.launched) == 4


def test_jobs_that_are_done_are_skipped_and_those_begun_go_on_in_their_run_from_their_checkpoint(bench):
    leases = Leases(bench.study, bench.hierarchy, SETTINGS, TWO, config_hash)
    leases.prepare()
    (first,) = (lease.trial for lease in leases.take(1))
    bench.study.set_job(first.id, 1, Job("done", FINISHED, scores={KEY: 5.0}, run_id="r"))
    bench.study.set_job(first.id, 2, Job("running"))
    folder = bench.places.folder(first, 2)
    folder.mkdir(parents=True)
    write(folder / "last.ckpt", {"images_seen": 8})
    leases.release(first)
    bench.work()
    assert (first.number, 1) not in bench.pairs
    again = bench.launched[bench.pairs.index((first.number, 2))]
    assert again["tracking.run_id"] == "'begun'" and again["resume"].strip("'") == str(folder / "last.ckpt")
    other = bench.launched[bench.pairs.index((1 - first.number, 1))]
    assert "resume" not in other and "tracking.run_id" not in other


def test_a_job_goes_on_from_its_newest_sound_checkpoint(tmp_path, caplog):
    assert checkpoint(tmp_path) is None
    for name in ("last", "last-1"):
        write(tmp_path / f"{name}.ckpt", {"images_seen": 8})
    assert checkpoint(tmp_path) == tmp_path / "last.ckpt" and not caplog.text
    (tmp_path / "last.ckpt").write_bytes(b"half")
    assert checkpoint(tmp_path) == tmp_path / "last-1.ckpt" and f"{tmp_path / 'last.ckpt'} cannot be" in caplog.text
    (tmp_path / "last-1.ckpt").write_bytes(b"")
    assert checkpoint(tmp_path) is None and "begins anew" in caplog.text


def test_a_job_whose_process_dies_is_tried_twice(bench):
    bench.dying.add((0, 2))
    bench.work()
    assert bench.pairs.count((0, 2)) == 2 and bench.pairs.count((0, 1)) == 1
    job = bench.study.trials()[0].jobs[2]
    assert (job.outcome, job.deaths) == (INTERRUPTED, 2)


def test_failed_seeds_are_counted_and_left_out_of_the_mean(bench):
    bench.ends[0, 1] = Job("done", ERROR, "why", run_id="")
    bench.ends[1, 1] = bench.ends[1, 2] = Job("done", ERROR, "why", run_id="")
    bench.work()
    first, second = bench.study.optuna.trials
    assert (first.value, first.user_attrs["failures"]) == (2.0, 1)
    assert (second.state, second.user_attrs["failures"]) == (TrialState.FAIL, 2)
    assert bench.hierarchy.failed_run.call_count == 3


def test_several_objectives_give_a_front(tmp_path):
    other = "score/m/is"
    settings = dataclasses.replace(
        SETTINGS, sampler="nsgaii", n_trials=8, objectives=(KEY, other), directions=("minimize", "maximize")
    )
    bench = Bench(tmp_path, settings, Space({}, {"a": Reals(0.0, 1.0, log=False)}, seeds=(1,)))
    # the first improves with the number, the second falls from the fifth on: from there on is the front
    for number in range(8):
        scores = {KEY: 10.0 - number, other: float(number if number < 5 else 3 - number)}
        bench.ends[number, 1] = Job("done", FINISHED, scores=scores, run_id="r")
    bench.work()
    assert len(bench.pairs) == 8
    assert sorted(trial.number for trial in bench.study.optuna.best_trials) == [4, 5, 6, 7]
