"""A dry run: the parts of a training, and ten steps of it, from which its duration follows. Nothing is written.

The duration is that of the training steps, and of drawing samples for scores and extracting their features. Start,
pictures, checkpoints and the user's own callbacks come on top: a long training comes close to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import psutil
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, open_dict

from ganvas.config import ConfigError, check
from ganvas.display import plural
from ganvas.run.assembly import Parts, assemble
from ganvas.run.deterministic import deterministic_algorithms
from ganvas.run.memory import keep_freed_memory
from ganvas.run.refusals import refuse
from ganvas.run.request import Job
from ganvas.run.training import make_trainer, silence
from ganvas.storage.best_effort import status
from ganvas.types import Watched, to_uint8

WARM_UP: Final = 3
"""Steps before the clock starts: the first ones allocate memory."""
STEPS: Final = 10
SAMPLES: Final = 250
"""Samples by which the time of scores is measured."""


@final
@dataclass(frozen=True)
class Trial:
    """What a dry run found.

    Args:
        parts: lines on the parts, by name.
        parameters: number of parameters of all networks.
        memory: bytes: of the GPU the most that were in use, else those of this process.
        rate: images a second.
        setting: batch size, device and threads of the measurement.
        training: seconds that the training steps will take.
        scoring: seconds that scores in training and at the end will take.
    """

    parts: dict[str, str]
    parameters: int
    memory: int
    rate: float
    setting: str
    training: float
    scoring: float

    @property
    def seconds(self) -> float:
        """Duration of the run."""
        return self.training + self.scoring


def try_out(cfg: DictConfig, job: Job) -> Trial:
    """Build the parts of a training, train ten steps and draw some samples.

    Args:
        cfg: the composed config.
        job: the request; nothing is written to its folder.

    Raises:
        ConfigError: as the training would; or a checkpoint to resume, whose config would be another one.
    """
    if cfg.resume is not None:
        raise ConfigError(f"resume={cfg.resume}: --dry-run shows a training from its start; leave resume out")
    silence()
    keep_freed_memory()
    check(cfg)
    refuse(cfg, job)
    with deterministic_algorithms(bool(cfg.deterministic)), TemporaryDirectory() as folder:
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        parts = assemble(cfg)
        steps = _Steps()
        trainer = make_trainer(_alone(cfg), Path(folder))
        trainer.callbacks.append(steps)  # type: ignore[attr-defined]
        device = trainer.strategy.root_device
        if on_gpu := device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        status(f"training {WARM_UP + STEPS} steps")
        trainer.fit(parts.model, parts.data)
        status("scoring samples")
        threads = plural(torch.get_num_threads(), "thread")
        return Trial(
            parts=_said(cfg, job, parts),
            parameters=sum(_size(network) for network in parts.model.networks.values()),
            memory=torch.cuda.max_memory_allocated(device) if on_gpu else psutil.Process().memory_info().rss,
            rate=steps.rate,
            setting=f"{STEPS} steps of {cfg.batch_size} images on {device}, {threads}",
            training=cfg.budget.images / steps.rate,
            scoring=_scoring_seconds(cfg, parts),
        )


@final
class _Steps(pl.Callback):
    """Ends the training after some steps, and measures them."""

    rate: float = 0.0

    def __init__(self) -> None:
        self._done = 0
        self._since = (0, 0.0)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._done += 1
        if self._done == WARM_UP:
            self._since = self._now(pl_module)
        if self._done == WARM_UP + STEPS:
            images, now = self._now(pl_module)
            self.rate = (images - self._since[0]) / max(now - self._since[1], 1e-9)
            trainer.should_stop = True

    def _now(self, model: Watched) -> tuple[int, float]:
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        return model.images_seen, time.perf_counter()


def _alone(cfg: DictConfig) -> DictConfig:
    """Leave out other devices, whose processes would begin the command line anew, and what may write files."""
    one = cfg.copy()
    with open_dict(one):
        one.trainer.update({"devices": 1, "strategy": "auto", "callbacks": None, "profiler": None})
    return one


def _said(cfg: DictConfig, job: Job, parts: Parts) -> dict[str, str]:
    chosen = ("objective", "constraint", "optimizer", "prior", "posterior", "quantiser", "likelihood")
    target = {group: job.choices.get(group) for group in chosen}
    words = [f"{group} {choice}" for group, choice in target.items() if choice and _has(cfg, group)]
    networks = {
        name: f"{type(network).__module__}.{type(network).__qualname__}, {_size(network):,} parameters"
        for name, network in parts.model.networks.items()
    }
    return {"model": ", ".join([job.choices["model"], *words]), "data": parts.data.described(), **networks}


def _has(cfg: DictConfig, group: str) -> bool:
    """Whether the model takes the part of a group."""
    keys = (*cfg.model, *cfg.model.get("adversary", {}))
    return group in keys or any(f"{player}_{group}" in cfg.model for player in ("critic", "generator"))


def _size(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _scoring_seconds(cfg: DictConfig, parts: Parts) -> float:
    """Time of all samples that are drawn and looked at, from that of some."""
    if not parts.extractors:
        return 0.0
    each = _seconds(lambda: _look_at_some(parts)) / SAMPLES
    at_end = cfg.score.n * (2 if cfg.score.every is not None and cfg.score.select is not None else 1)
    during = 0 if cfg.score.every is None else cfg.score.n_during * (cfg.budget.images // cfg.score.every)
    return each * (at_end + during)


def _look_at_some(parts: Parts) -> None:
    images = to_uint8(parts.model.sample(SAMPLES, 0).cpu())
    for extractor in parts.extractors:
        extractor(images)


def _seconds(act: Callable[[], None]) -> float:
    act()  # the first call allocates memory
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
