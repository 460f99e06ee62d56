"""Training steps as CUDA graphs: each is recorded once, and then replayed by a single launch.

A step of a small network launches hundreds of kernels, each of a few microseconds, and a GPU waits for Python between
them. A graph holds the launches of a whole step with the addresses that they read and write: forward and backward
passes of all players, penalties, clipping, optimisers, random draws. A replay draws the random numbers that the step
would have drawn, from the same generator.

Steps are not all the same: every ``n_critic``-th one updates the generator too, a lazy penalty is added at every
``every``-th. :attr:`~ganvas.models.Model.period` says after how many they repeat, and each step of a period is a graph
of its own. What is no launch stays outside: the batch, the averaged weights, logging. Python does not run in a replay,
so hooks of Lightning around an optimiser's step are not called, and a number that a schedule moves would stay as it
was; such a training is refused.

Reference: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, final

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.models import Model
from ganvas.types import Batch

WARM_UP: Final = 3
"""Periods before the recording, in which libraries choose their kernels and optimisers make their state."""


def graphs_of(cfg: DictConfig, trainer: pl.Trainer, model: Model) -> list[pl.Callback]:
    """Make the callback that the config asks for, if it does.

    Args:
        cfg: the composed config of a training.
        trainer: the trainer.
        model: the model that it will train.

    Raises:
        ConfigError: the steps cannot be recorded; the message says why.
    """
    return [CudaGraphs(trainer, model)] if cfg.get("cuda_graphs") else []  # an older checkpoint has no such key


@final
class CudaGraphs(pl.Callback):
    """Replays the model's steps instead of running them, as long as the training goes.

    Args:
        trainer: the trainer.
        model: the model that it will train.

    Raises:
        ConfigError: the steps cannot be recorded; the message says why.
    """

    def __init__(self, trainer: pl.Trainer, model: Model) -> None:
        if reason := _obstacle(trainer, model):
            raise ConfigError(f"cuda_graphs=true: {reason}; write cuda_graphs=false")

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Put the recorded steps in the place of the model's own."""
        pl_module.step = _Steps(pl_module, trainer.optimizers)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Give the model its own step back, and free the graphs."""
        vars(pl_module).pop("step", None)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """The same, if the training breaks off."""
        vars(pl_module).pop("step", None)


def _obstacle(trainer: pl.Trainer, model: Model) -> str:
    """Say what keeps the steps of a training from being recorded; empty if nothing is known to."""
    device = trainer.strategy.root_device.type
    if device != "cuda":
        return f"graphs are launched on NVIDIA's GPUs, and this training runs on the device {device}"
    if trainer.world_size > 1:
        return f"graphs hold the launches of one GPU, and this training has {trainer.world_size} processes"
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        return "trainer.precision=16-mixed decides at each update whether it is skipped (bf16-mixed does not)"
    if moving := model.scheduled.moving():
        return f"the schedule of {moving[0]} moves a number, which a graph holds fixed"
    return model.irregular


@final
class _Steps:
    """Steps of a model, of which each kind is recorded at its first turn after the warm-up.

    Args:
        model: the model.
        optimizers: optimisers of its players.
    """

    def __init__(self, model: Model, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._model, self._step, self._optimizers = model, model.step, optimizers
        self._recorded: dict[int, _Recording] = {}
        self._pool: Any = None  # of memory, which the graphs share, since no two run at once
        self._eager = WARM_UP * model.period

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Run, record or replay the step on a batch; returns the named terms."""
        if self._eager:
            self._eager -= 1
            return self._step(batch)
        phase = self._model.updates % self._model.period
        if phase not in self._recorded:
            self._recorded[phase] = self._record(batch)
        return self._recorded[phase].replay(self._model, batch)

    def _record(self, batch: Batch) -> _Recording:
        model = self._model
        held, graph = batch.to(model.device, copy=True), torch.cuda.CUDAGraph()
        terms, norms, gradients = dict(model.terms), dict(model.kept_norms), dict(self._gradients())
        with _refused(model.device), _recordable(self._optimizers), torch.cuda.graph(graph, pool=self._pool):
            found = self._step(held)
        self._pool = graph.pool()
        return _Recording(
            graph,
            held,
            {name: term for name, term in found.items() if term is not terms.get(name)},
            {name: norm for name, norm in model.kept_norms.items() if norm is not norms.get(name)},
            [(weight, g) for weight, g in self._gradients() if g is not gradients.get(weight)],
        )

    def _gradients(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        for optimizer in self._optimizers:
            yield from ((weight, weight.grad) for group in optimizer.param_groups for weight in group["params"])


@final
@dataclass(frozen=True, eq=False)
class _Recording:
    """A recorded step, and what it leaves behind: tensors that each replay fills anew.

    Args:
        graph: the launches.
        held: the batch that they read.
        terms: terms of the players that were updated.
        norms: gradient norms, of clipped gradients.
        gradients: each updated weight with its gradient.
    """

    graph: torch.cuda.CUDAGraph
    held: Batch
    terms: dict[str, Tensor]
    norms: dict[str, Tensor]
    gradients: list[tuple[Tensor, Tensor | None]]

    def replay(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        """Replay the step on a batch of the same size; returns the terms of all players."""
        self.held.x.copy_(batch.x)
        self.held.index.copy_(batch.index)
        if self.held.y is not None and batch.y is not None:
            self.held.y.copy_(batch.y)
        self.graph.replay()
        model.kept_norms.update(self.norms)
        for weight, gradient in self.gradients:
            weight.grad = gradient
        return {**model.terms, **self.terms}


@contextmanager
def _refused(device: torch.device) -> Iterator[None]:
    """Turn what shows inside the block that a step cannot be recorded into an error that says so.

    Raises:
        ConfigError: the step waits for the GPU, copies from the processor, or draws numbers there.
    """
    generator, drawn = torch.cuda.default_generators[device.index or 0], torch.get_rng_state()
    before = generator.clone_state()
    reason = ""
    try:
        yield
    except RuntimeError as error:
        generator.graphsafe_set_state(before)  # the broken recording holds the other one
        reason = (str(error.__context__ or error).strip().splitlines() or ["no message"])[0]
    if not reason and not torch.equal(drawn, torch.get_rng_state()):
        reason = "it draws random numbers on the processor"
    if reason:
        raise ConfigError(f"cuda_graphs=true: a step cannot be recorded: {reason}; write cuda_graphs=false")


@contextmanager
def _recordable(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Let optimisers count their steps on the GPU; afterwards their settings, which checkpoints hold, are as before.

    Raises:
        ConfigError: an optimiser counts steps, and has no version that does so on the GPU.
    """
    for optimizer in optimizers:
        for weight, state in optimizer.state.items():
            if "step" in state and "capturable" not in optimizer.defaults:
                name = type(optimizer).__name__
                raise ConfigError(f"cuda_graphs=true: {name} counts its steps in Python; write optimizer=adam")
            if "step" in state:
                state["step"] = state["step"].to(weight.device)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value
