"""A job's config that is made from an earlier job's is the one that Hydra composes."""

import copy
from unittest.mock import patch

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf

import ganvas.config.schema  # noqa: F401  (tells Hydra the groups without files)
from ganvas.sweeps.composing import JobLoader


@pytest.fixture(scope="module")
def hydras():
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        line = ["study=s", "model=gan,vae", "optimizer.lr=1,2"]
        yield loader, loader.load_configuration("train", line, RunMode.MULTIRUN)


A_FEW = ["model=gan", "network=mlp", "optimizer.lr=0.1", "seed=1"]
SERIES = {
    "numbers": ([[*A_FEW[:3], f"seed={i}"] for i in (1, 2, 3)], 1),
    "two keys at once": ([["optimizer.lr=0.1", "seed=1"], ["optimizer.lr=2e-4", "seed=2"]], 1),
    "kinds of values": ([[f"study={v}", "seed=1"] for v in ("a", "null", "'x y'", "7", "'${seed}'")], 1),
    "an interpolation follows": ([[f"budget.images={n}", "seed=1"] for n in (1000, 64_000)], 1),
    "another key": ([["seed=1"], ["batch_size=32"]], 2),
    "another group": ([["model=gan", "seed=1"], ["model=vae", "seed=2"], ["model=gan", "seed=3"]], 2),
    "a group at a place": ([["data@data.source=mnist5k", "data=few"], ["data@data.source=mnist", "data=few"]], 2),
    "a part and its leaf": ([["optimizer.betas=[0.1,0.2]", "seed=1"], ["optimizer.betas=[0.3,0.2]", "seed=2"]], 2),
    "a mapping over a leaf": ([["grid.rows=3", "grid={rows: 4}"], ["grid.rows=5", "grid={rows: 4}"]], 2),
    "the same key twice": ([["seed=1", "seed=2"], ["seed=3", "seed=2"]], 2),
    "an added key": ([["+trainer.max_time=1", "seed=1"], ["+trainer.max_time=2", "seed=1"]], 2),
    "a deleted key": ([["~trainer.precision", "seed=1"], ["~trainer.precision", "seed=2"]], 1),
    "folders of Hydra": ([["hydra.sweep.subdir=a", "seed=1"], ["hydra.sweep.subdir='b/c'", "seed=1"]], 1),
    "a key of Hydra": ([["hydra.job.chdir=true", "seed=1"], ["hydra.job.chdir=false", "seed=1"]], 2),
}


@pytest.mark.parametrize("jobs, composed", SERIES.values(), ids=SERIES)
def test_it_is_the_config_that_hydra_composes(hydras, jobs, composed):
    loader, master = hydras
    ours = JobLoader(loader)
    expected = [loader.load_sweep_config(master, job) for job in jobs]
    with patch.object(loader, "load_sweep_config", wraps=loader.load_sweep_config) as by_hydra:
        for job, theirs in zip(jobs, expected, strict=True):
            made = ours.load_sweep_config(master, job)
            assert OmegaConf.to_container(made) == OmegaConf.to_container(theirs)
            assert OmegaConf.is_struct(made) and OmegaConf.is_struct(theirs)
            made.seed = 99  # a job may change its config; the next one is not made from it
    assert by_hydra.call_count == composed


def test_a_value_that_does_not_fit_is_refused_as_by_hydra(hydras):
    loader, master = hydras
    ours = JobLoader(loader)
    ours.load_sweep_config(master, ["budget.images=10"])
    with pytest.raises(ConfigCompositionException):
        loader.load_sweep_config(master, ["budget.images=many"])
    with pytest.raises(ConfigCompositionException):
        ours.load_sweep_config(master, ["budget.images=many"])


def test_it_is_copied_for_other_processes(hydras):
    loader, master = hydras
    ours = copy.deepcopy(JobLoader(loader))
    assert ours.load_sweep_config(master, ["seed=5"]).seed == 5
