"""Launchers: how many jobs and threads follow from their settings, and a real sweep on each."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.sweeps.launchers import Parallel, available_cores, parallel


@pytest.mark.parametrize(
    ("launcher", "expected"),
    [
        ({}, Parallel(1, None)),
        ({"n_jobs": 2}, Parallel(2, 4)),
        ({"n_jobs": -1}, Parallel(8, 1)),
        ({"n_jobs": 16}, Parallel(16, 1)),
        ({"cpus_per_task": 2}, Parallel(4, 2)),
        ({"cpus_per_task": 4, "array_parallelism": 16}, Parallel(16, 4)),
        ({"cpus_per_task": None, "array_parallelism": 256}, Parallel(256, None)),
        ({"ray": {"init": {}, "remote": {"num_cpus": 16}}}, Parallel(1, 16)),
    ],
)
def test_jobs_and_threads_follow_from_the_launcher(launcher, expected):
    assert parallel(launcher, cores=8) == expected


def trained(process, runs_of, study):
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said[-3000:]
    found = runs_of(study)
    assert found.statuses("run") == {"FINISHED": 2} and found.statuses("study") == {"FINISHED": 1}
    client = MlflowClient()
    paths = [client.download_artifacts(run.info.run_id, "provenance.json") for run in found.jobs]
    return {json.loads(Path(path).read_text())["machine"]["torch_threads"] for path in paths}


@pytest.mark.slow
def test_local_processes_share_the_cores(start, runs_of):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="pip install '.[joblib]'")
    cores = available_cores()
    # one thread by the environment: what is found is what the sweep has set
    process = start("study=j", "model=gan,vae", "hydra/launcher=local", "hydra.launcher.n_jobs=2")
    assert trained(process, runs_of, "j") == {max(cores // 2, 1)}


@pytest.mark.slow
def test_submitit_runs_what_slurm_would(start, runs_of):
    pytest.importorskip("submitit", reason="pip install '.[slurm]'")
    process = start("study=s", "model=gan,vae", "hydra/launcher=slurm_local", "hydra.launcher.cpus_per_task=2")
    assert trained(process, runs_of, "s") == {2}


@pytest.mark.slow
def test_a_ray_cluster_trains(start, runs_of):
    pytest.importorskip("ray", reason="pip install '.[ray]', in an environment of its own")
    ray = str(Path(sys.executable).parent / "ray")
    head = [ray, "start", "--head", "--num-cpus=2", "--port=6399", "--include-dashboard=false"]
    subprocess.run(head, check=True, capture_output=True, timeout=120)
    try:
        launcher = ["hydra/launcher=ray_cluster", "hydra.launcher.ray.remote.num_cpus=1"]
        assert trained(start("study=r", "model=gan,vae", *launcher), runs_of, "r") == {1}
    finally:
        subprocess.run([ray, "stop"], check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("launcher", "extra", "plugin"),
    [("local", "joblib", "joblib"), ("slurm", "slurm", "submitit"), ("ray_cluster", "ray", "ray")],
)
def test_a_launcher_that_is_not_installed_is_named_with_its_extra(store, capsys, launcher, extra, plugin):
    if importlib.util.find_spec(f"hydra_plugins.hydra_{plugin}_launcher"):
        pytest.skip("it is installed")
    assert main(["train", "-m", "model=gan,vae", f"hydra/launcher={launcher}"]) == 2
    assert f"in the clone of ganvas: pip install '.[{extra}]'" in capsys.readouterr().err
