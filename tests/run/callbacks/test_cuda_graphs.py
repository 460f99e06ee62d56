"""Recorded steps, without a GPU: what is refused, how many kinds of steps there are, what a replay leaves behind.

That a training by graphs is the training without them is tested on a GPU, in ``tests/test_gpu.py``.
"""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from ganvas.cli import main
from ganvas.config import ConfigError, build
from ganvas.models import Model
from ganvas.run.callbacks import cuda_graphs
from ganvas.run.callbacks.cuda_graphs import CudaGraphs, graphs_of
from ganvas.types import Batch

from ...tiny import TINY


def model(*words):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return build(compose("train", [*words, "paths.output=out"]).model)


def trainer(device="cuda", world_size=1, scaler=None):
    parts = {"strategy.root_device": torch.device(device), "precision_plugin.scaler": scaler}
    return Mock(spec=pl.Trainer, world_size=world_size, optimizers=[], **parts)


def test_a_training_without_a_gpu_is_refused_before_its_run_begins(store, capsys):
    assert main(["train", *TINY, "trainer.accelerator=cpu", "cuda_graphs=true"]) == 2
    assert capsys.readouterr().err.strip().endswith("runs on the device cpu; write cuda_graphs=false")
    assert not list(store.glob("outputs/**/last.ckpt"))


@pytest.mark.parametrize(
    ("words", "asked", "reason"),
    [
        ("model=gan", {"world_size": 2}, "2 processes"),
        ("model=gan", {"scaler": object()}, "16-mixed"),
        ("model=gan schedule=linear", {}, "schedule of optimizer.lr moves"),
        ("model=vae +schedule@schedules.objective.beta=warm_up", {}, "schedule of objective.beta moves"),
        ("model=gan constraint=dp_sgd network=mlp", {}, "dp_sgd"),
        ("model=vdvae model.gradient_skip=10.0", {}, "gradient_skip"),
        ("model=vqgan", {}, "begins after 50,000 images"),
    ],
)
def test_what_is_known_to_change_from_step_to_step_is_refused(words, asked, reason):
    with pytest.raises(ConfigError, match=f"^cuda_graphs=true: .*{reason}.*; write cuda_graphs=false$"):
        CudaGraphs(trainer(**asked), model(*words.split()))


def test_no_callback_is_made_unless_the_config_asks_for_it():
    assert graphs_of(OmegaConf.create({"cuda_graphs": False}), trainer(), model("model=gan")) == []
    assert graphs_of(OmegaConf.create({}), trainer(), model("model=gan")) == []
    assert len(graphs_of(OmegaConf.create({"cuda_graphs": True}), trainer(), model("model=gan"))) == 1


@pytest.mark.parametrize(
    ("words", "period"),
    [
        ("model=gan", 1),
        ("model=vae", 1),
        ("model=wgan_gp", 5),
        ("model=gan constraint=r1 constraint.every=16", 16),
        ("model=wgan_gp model.n_critic=2 constraint.every=3", 6),
        ("model=gan constraint=r1_r2 constraint.parts.r1.every=4 constraint.parts.r2.every=6", 12),
        ("model=gan network=stylegan2 regulariser=path_length regulariser.every=4 model.n_critic=2", 8),
        ("model=aae constraint=r1 constraint.every=3", 3),
    ],
)
def test_steps_repeat_after_the_least_common_multiple_of_turns_and_lazy_terms(words, period):
    assert model(*words.split()).period == period


class Graph:
    """Stands for a graph: a replay counts, and the launches are not run again."""

    __class__ = torch.cuda.CUDAGraph  # for the checks of types in tests

    def __init__(self):
        self.replayed = 0

    def replay(self):
        self.replayed += 1

    def pool(self):
        return "pool"


class Turns(torch.nn.Module):
    """A step of two kinds: the first moves ``a``, the second also ``b``."""

    device = torch.device("cpu")
    period = 2
    __class__ = Model  # for the checks of types in tests

    def __init__(self):
        super().__init__()
        self.a, self.b = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.updates, self.terms, self.kept_norms, self.called = 0, {}, {}, 0

    def step(self, batch):
        self.called += 1
        self.a.grad = batch.x.sum().view(1)
        found = {"a": batch.x.sum()}
        if self.updates % 2:
            self.b.grad = -batch.x.sum().view(1)
            found["b"] = -batch.x.sum()
            self.kept_norms["b"] = batch.x.norm()
        self.kept_norms["a"] = batch.x.norm()
        return {**self.terms, **found}


def test_each_kind_of_step_is_recorded_once_after_the_warm_up(monkeypatch):
    pools = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, pool: (pools.append(pool), nullcontext())[1])
    monkeypatch.setattr(cuda_graphs, "_refused", lambda device: nullcontext())
    turns = Turns()
    adam = torch.optim.Adam(turns.parameters())
    steps = cuda_graphs._Steps(turns, [adam])
    seen = []
    for k in range(12):
        x = torch.full((2, 1), float(k))
        turns.terms = steps(Batch(x, None, torch.arange(2)))
        seen.append((turns.terms, turns.a.grad, turns.b.grad, turns.kept_norms["a"], turns.kept_norms.get("b")))
        turns.updates += 1
    assert turns.called == 2 * cuda_graphs.WARM_UP + 2 and pools == [None, "pool"]
    held = [recording.held.x for recording in steps._recorded.values()]
    assert [x.flatten().tolist() for x in held] == [[10.0, 10.0], [11.0, 11.0]]  # the latest batch of each kind
    assert [recording.graph.replayed for recording in steps._recorded.values()] == [3, 3]
    (even, odd), (last_even, last_odd) = seen[6:8], seen[10:12]
    assert last_even[0]["a"] is even[0]["a"] and last_even[0]["b"] is odd[0]["b"] and last_odd[0]["a"] is odd[0]["a"]
    assert last_even[1] is even[1] and last_odd[1] is odd[1] and even[1] is not odd[1]
    assert last_even[3] is even[3] and last_odd[3] is odd[3]
    assert last_even[4] is last_odd[4] is odd[4]  # an update of ``a`` alone leaves the norm of ``b``, as its gradient
    assert last_even[2] is odd[2]
    assert "capturable" in adam.defaults and not adam.param_groups[0]["capturable"]


def test_an_optimiser_that_counts_in_python_is_refused():
    weight = torch.nn.Parameter(torch.ones(1))
    adagrad = torch.optim.Adagrad([weight])
    with pytest.raises(ConfigError, match="Adagrad counts its steps in Python; write optimizer=adam"):
        with cuda_graphs._recordable([adagrad]):
            pass


def test_the_model_has_its_own_step_again_after_the_training_and_after_an_exception():
    for end in (
        lambda c, m: c.on_train_end(trainer(), m),
        lambda c, m: c.on_exception(trainer(), m, KeyboardInterrupt()),
    ):
        gan = model("model=gan")
        callback = CudaGraphs(trainer(), gan)
        callback.on_train_start(trainer(), gan)
        assert isinstance(gan.step, cuda_graphs._Steps)
        end(callback, gan)
        assert "step" not in vars(gan) and gan.step.__func__ is type(gan).step
