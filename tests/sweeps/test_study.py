"""Bookkeeping of a study: who owns what, who is a ghost, what is never taken twice."""

import dataclasses
import math
import socket
from unittest.mock import Mock

import numpy as np
import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

from ganvas.health.finding import Finding
from ganvas.run.callbacks.listeners import _listeners
from ganvas.sweeps import SweepError
from ganvas.sweeps.dimensions import Choice, Reals
from ganvas.sweeps.finished import Finished
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import SweepJob
from ganvas.sweeps.lease import Leases, short
from ganvas.sweeps.outlook import Outlook
from ganvas.sweeps.overrides import quoted
from ganvas.sweeps.pruning import PRUNERS, PruneOnHealth, PruneOnScore, make_pruner
from ganvas.sweeps.racing import Race
from ganvas.sweeps.samplers import SAMPLERS, make_sampler
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space
from ganvas.sweeps.storage import open_storage, storage_url
from ganvas.sweeps.study import OWNER, VALUES, Job, Study
from ganvas.sweeps.worker import Places
from ganvas.tracking.outcomes import Pruned
from ganvas.tracking.owner import Owner
from ganvas.tracking.provenance import config_hash

SETTINGS = Settings("grid", 1, None, "none", (), ("score/m/fd",), ("minimize",), "mean", None, 1, None)
DEAD = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": 0.0}
FAR = {"host": "elsewhere", "pid": 1, "started": 0.0}


def no_hierarchy():
    made = Mock(spec=Hierarchy)
    made.begin_trial.side_effect = lambda trial: f"run {trial.number}"
    return made


@pytest.fixture
def study(tmp_path):
    return Study(
        "s", open_storage(storage_url(f"sqlite:///{tmp_path}/sweeps.db")), ["minimize"], make_pruner("none", 1, 9)
    )


def leases(study, space=None, **changes):
    space = space or Space({}, {"a": Choice(("1", "2", "3"))}, seeds=(1, 2))
    return Leases(study, no_hierarchy(), dataclasses.replace(SETTINGS, **changes), space, config_hash)


def trials(leases):
    return [lease.trial for lease in leases]


def test_a_grid_is_queued_once_and_each_point_taken_once(study):
    first, second = leases(study), leases(study)
    first.prepare()
    second.prepare()
    taken = [*first.take(2), *second.take(5)]
    assert [lease.trial.values["a"] for lease in taken] == ["1", "2", "3"] and first.take(1) == []
    assert [t.params for t in study.optuna.trials] == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


def test_a_dead_worker_s_configuration_is_taken_at_once_a_living_one_s_never(study):
    mine = leases(study)
    mine.prepare()
    first, second, third = trials(mine.take(3))
    study.set(first.id, OWNER, DEAD)
    study.set(third.id, OWNER, FAR)
    assert trials(mine.take(3)) == [first]
    study.set(first.id, OWNER, DEAD)
    study.set_job(first.id, 1, Job(owner=Owner.me().as_dict()))
    assert mine.take(3) == [] and study.orphans() == [study.read(first.id)]
    study.set_job(first.id, 1, Job(owner=DEAD))
    assert trials(mine.take(3)) == [first] and second.number == 1


@pytest.mark.parametrize("values", [{"a": "4"}, {"a": "1", "+trust": "[os]"}, {"a": "${oc.env:HOME}"}, {}])
def test_what_somebody_else_wrote_into_the_database_is_not_trained(study, values):
    mine = leases(study)
    mine.prepare()
    first = study.trials()[0]
    study.set(first.id, VALUES, values)
    with pytest.raises(SweepError, match="trial 0: a=1 is no point of this command line's space"):
        mine.take(1)
    assert study.read(first.id).attributes.get(OWNER) is None


def test_a_silent_worker_on_another_host_is_dead_when_its_heartbeat_is_old(study, monkeypatch):
    mine = leases(study)
    mine.prepare()
    (first,) = trials(mine.take(1))
    study.set(first.id, OWNER, FAR)
    assert study.ghosts() == []
    monkeypatch.setattr(study.storage, "_get_stale_trial_ids", lambda _: [first.id])
    assert study.ghosts() == [first]


def test_more_seeds_inherit_the_jobs_that_are_done(study):
    mine = leases(study)
    mine.prepare()
    for trial in trials(mine.take(3)):
        for seed in (1, 2):
            study.set_job(trial.id, seed, Job("done", "finished", scores={"k": 1.0}))
        study.tell(trial, [1.0], TrialState.COMPLETE)
    more = leases(study, Space({}, {"a": Choice(("1", "2", "3"))}, seeds=(1, 2, 3)))
    more.prepare()
    taken = trials(more.take(9))
    assert len(taken) == 3
    assert all(t.seeds == [1, 2, 3] and [s for s, j in t.jobs.items() if j.done] == [1, 2] for t in taken)
    more.prepare()
    assert more.take(9) == []


def test_a_search_ends_at_n_trials_and_does_not_depend_on_interruptions(study, tmp_path):
    space = Space({}, {"x": Reals(0.0, 1.0)})
    kinds = {"sampler": "random", "n_trials": 4}
    whole = [t.values for t in trials(leases(study, space, **kinds).take(9))]
    other = Study("t", study.storage, ["minimize"], make_pruner("none", 1, 9))
    parts = [t.values for _ in range(9) for t in trials(leases(other, space, **kinds).take(1))]
    assert len(whole) == 4 and parts == whole


def test_a_configuration_that_a_search_repeats_is_not_trained_again(study):
    mine = leases(study, Space({}, {"a": Choice(("1",))}), sampler="random", n_trials=3)
    (first,) = trials(mine.take(1))
    study.tell(first, [2.5], TrialState.COMPLETE)
    assert mine.take(5) == []
    assert [t.value for t in study.optuna.trials] == [2.5, 2.5, 2.5]


def test_a_line_that_differs_is_refused(study):
    study.agree("line", {"budget.images": "10"})
    study.agree("line", {"budget.images": "10"})
    with pytest.raises(SweepError, match="budget.images: 10 -> 20"):
        study.agree("line", {"budget.images": "20"})


def test_a_process_is_known_by_its_start():
    me = Owner.me()
    assert me.lives() and Owner.read(me.as_dict()) == me
    assert not dataclasses.replace(me, started=me.started - 60).lives()
    assert Owner(**DEAD).lives() is False and Owner(**FAR).lives() is None


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_asks_by_name(name, study):
    directions = ["minimize"]
    optuna_study = optuna.create_study(directions=directions)
    for number in range(6):
        optuna_study.sampler = make_sampler(name, 1, number)
        trial = optuna_study.ask()
        values = Space({}, {"x": Reals(0.01, 1.0, log=True), "y": Reals(0.0, 1.0)}).suggest(trial)
        optuna_study.tell(trial, float(values["x"]) + float(values["y"]))
    assert len({t.params["x"] for t in optuna_study.trials}) == 6


def test_the_first_seeds_scores_prune_what_is_worse(study):
    study.optuna.pruner = make_pruner("median", 10, 100)
    for value in (1.0, 2.0, 3.0, 4.0):
        trial = study.optuna.ask()
        PruneOnScore(study, trial._trial_id, "score/m/fd")({"val/m/fd": value}, (), 10)
        study.optuna.tell(trial, value)
    good, bad = study.optuna.ask(), study.optuna.ask()
    PruneOnScore(study, good._trial_id, "score/m/fd")({"val/m/fd": 2.0}, (), 10)
    with pytest.raises(Pruned, match="val/m/fd is 9 after 10 images"):
        PruneOnScore(study, bad._trial_id, "score/m/fd")({"val/m/fd": 9.0}, (), 10)


def test_a_warning_of_a_chosen_check_prunes_and_of_no_other():
    findings = [Finding("finite", 0.0, "ok", ""), Finding("critic_gap", 9.0, "warn", "it knows its images by heart")]
    PruneOnHealth(("finite", "class_coverage"))({}, findings, 10)
    with pytest.raises(Pruned, match="critic_gap warns after 1,000 images: it knows"):
        PruneOnHealth(("finite", "critic_gap"))({}, findings, 1000)


def sweep_job(study, task):
    return SweepJob(
        task=task,
        study="s",
        storage=study.storage.url,
        directions=("minimize",),
        objective="score/m/fd",
        pruner="median",
        prune_on=("critic_gap",),
        threads=None,
        worker=Owner.me(),
        explain=lambda error: (str(error), 1),
        outlook=Outlook.of(study, expected=None),
    )


def test_what_prunes_is_heard_by_the_first_seeds_only_and_each_run_is_counted(study, capsys):
    made = leases(study)
    made.prepare()
    (trial,) = trials(made.take(1))
    heard = {}
    job = sweep_job(study, lambda cfg: heard.setdefault(cfg.seed, [type(x) for x in _listeners.get()]) and {} or {})
    for seed in trial.seeds:
        job(OmegaConf.create({"seed": seed, "tracking": {"trial": 0}, "score": {"every": 1}, "budget": {"images": 9}}))
    assert heard == {1: [PruneOnHealth, PruneOnScore], 2: []}
    said = [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["1/6 runs", "2/6 runs"]  # of three configurations


def test_a_score_that_is_no_number_is_a_seed_without_this_score(study):
    made = leases(study)
    made.prepare()
    (trial,) = trials(made.take(1))
    found = {"score/m/fd": {"value": math.nan}, "score/m/psnr": {"value": math.inf}, "score/m/kid": {"value": 2.0}}
    job = sweep_job(study, lambda cfg: {"scores": found})
    job(OmegaConf.create({"seed": 1, "tracking": {"trial": 0}, "score": {"every": 1}, "budget": {"images": 9}}))
    finished = Finished.of(study.read(trial.id))
    assert finished.metrics() == {"seeds": 1.0, "failures": 0.0, "n/score/m/kid": 1.0, "mean/score/m/kid": 2.0}
    assert "no seed has it" in finished.note(["score/m/fd"])


def test_pruners_by_name_and_unknown_names():
    assert {type(make_pruner(name, 10, 100)).__name__ for name in PRUNERS} >= {"HyperbandPruner", "PatientPruner"}
    for change in (
        {"sampler": "tpee"},
        {"pruner": "x"},
        {"prune_on": ("x",)},
        {"aggregate": "x"},
        {"directions": ("down",)},
    ):
        with pytest.raises(SweepError, match="can be"):
            dataclasses.replace(SETTINGS, **change)
    for change in (
        {"sampler": "tpe"},
        {"racing": 2.0},
        {"directions": ("minimize",) * 2},
        {"objectives": (), "racing": 0.1},
    ):
        with pytest.raises(SweepError):
            dataclasses.replace(SETTINGS, **change)


def test_racing_drops_clear_losers_only():
    race = Race(0.05, 5, 4, "minimize")
    assert race.level == pytest.approx(0.05 / 9)
    assert race.lost([100.0, 101.0, 100.5], [[1.0, 1.1, 0.9]]) and not race.lost([1.2, 0.9, 1.1], [[1.0, 1.1, 0.9]])
    assert not race.lost([100.0], [[1.0, 1.1]]) and not race.lost([1.0, 1.1, 0.9], [[100.0, 101.0, 100.5]])
    assert Race(0.05, 5, 4, "maximize").lost([1.0, 1.1, 0.9], [[100.0, 101.0, 100.5]])


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_racing_drops_the_best_no_more_often_than_it_says(direction):
    """2,000 races of five equal configurations and one barely better, which is looked at after each of its seeds."""
    rng, alpha, seeds, rivals, dropped = np.random.default_rng(5), 0.2, 6, 5, 0
    race = Race(alpha, seeds, rivals + 1, direction)
    sign = 1.0 if direction == "minimize" else -1.0
    for _ in range(2000):
        others = [list(values) for values in rng.normal(0.0, 1.0, (rivals, seeds))]
        best = list(rng.normal(-0.01 * sign, 1.0, seeds))
        dropped += any(race.lost(best[:n], [other[:n] for other in others]) for n in range(2, seeds))
    assert 0 < dropped / 2000 <= alpha


def test_folders_labels_and_quotes(study, tmp_path):
    mine = leases(study)
    mine.prepare()
    first, second, _ = trials(mine.take(3))
    own, given = Places(tmp_path, ""), Places(tmp_path, "s")
    assert own.folder(first, 2) == tmp_path / first.hash / "seed-2" and first.hash != second.hash
    assert given.folder(first, 2) == tmp_path / "s" / first.hash / "seed-2"
    assert first.label == "a=1" and short("0.00031415926") == "0.0003142" and short("wgan_gp_long") == "wgan_gp_long"
    assert quoted("it's") == "'it\\'s'"
