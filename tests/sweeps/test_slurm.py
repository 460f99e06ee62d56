"""A sweep on a real Slurm: jobs of an array, one that is killed, a submitting process that is killed."""

import signal
import subprocess

import pytest

from ganvas.storage.checkpoints import read

from ..slurm import ask, jobs, kill, slurm
from ..waiting import wait_for

LINE = ["model=gan,vae", "seed=1,2", "study=cluster", "budget.images=20_000", "checkpoint.every=640"]
ON_SLURM = ["hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=10"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_job_and_a_killed_sweep_go_on_where_they_were(start, store, runs_of, summary, monkeypatch):
    pytest.importorskip("submitit", reason="pip install '.[slurm]'")
    with slurm(monkeypatch, cpus=2):
        first = start(*LINE, *ON_SLURM)
        wait_for(lambda: len(list(store.glob("outputs/cluster/*/seed-*/last.ckpt"))) == 2)
        running = jobs()
        kill(running[0])
        wait_for(lambda: running[0] not in jobs())
        first.send_signal(signal.SIGKILL)
        first.wait()
        again = start(*LINE, *ON_SLURM)
        try:
            said, _ = again.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            raise AssertionError(ask("squeue") + ask("sacct")) from None
        assert again.returncode == 0, said[-3000:]
        wait_for(lambda: jobs() == [], 60)  # the last process ends after its result
    found = runs_of("cluster")
    assert found.statuses("run") == {"FINISHED": 4} and set(found.keys().values()) == {1}
    assert found.statuses("study") == {"FINISHED": 1} and found.statuses("configuration") == {"FINISHED": 2}
    assert summary("outputs/cluster")["finished"] == 4
    seen = {read(path)["images_seen"] for path in store.glob("outputs/cluster/*/seed-*/last.ckpt")}
    assert len(seen) == 1 and min(seen) >= 20_000
