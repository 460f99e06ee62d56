"""A training step of ``model=gan network=mlp`` against the same step as a plain PyTorch loop, in one process.

Both see the same batches of the embedded digits, the same networks and the same number of threads. Ours runs inside
Lightning's trainer with the callbacks of a real run that act on every batch (NaN watch, logging every ``log.every``
images); the plain loop has torch's default Adam and draws fresh fakes for each network. Blocks of steps alternate, and
the medians are compared.

Usage: python scripts/benchmark_step.py [--steps 300] [--rounds 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch.nn.functional import softplus

from ganvas.commands.train import make_trainer
from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.models import GAN
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.callbacks.silent import SilentRun
from ganvas.run.callbacks.terms_logged import LogTerms

WARM_UP = 50


class Stopwatch(pl.Callback):
    """Seconds of ``steps`` batches after the warm-up; stops the training after them."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seconds = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Lightning's hook."""
        done = trainer.fit_loop.epoch_loop.batch_idx + 1
        if done == WARM_UP:
            self.start = time.perf_counter()
        if done == WARM_UP + self.steps:
            self.seconds = time.perf_counter() - self.start
            trainer.should_stop = True


def ours(cfg: DictConfig, data: DataModule, steps: int) -> float:
    """Milliseconds a step of ganvas."""
    torch.manual_seed(0)
    model: GAN = build(cfg.model)
    watch = Stopwatch(steps)
    watchers: list[pl.Callback] = [StopWhenNotFinite(cfg.log.every), LogTerms(SilentRun(), cfg.log.every), watch]
    trainer = make_trainer(cfg, Path())
    trainer.callbacks.extend(watchers)  # type: ignore[attr-defined]
    trainer.fit(model, data)
    return 1000 * watch.seconds / steps


def plain(cfg: DictConfig, data: DataModule, steps: int) -> float:
    """Milliseconds a step of the plain loop."""
    torch.manual_seed(0)
    generator, critic, prior = build(cfg.network.generator), build(cfg.network.critic), build(cfg.prior)
    rate = {"lr": cfg.optimizer.lr, "betas": tuple(cfg.optimizer.betas)}
    generator_adam = torch.optim.Adam(generator.parameters(), **rate)
    critic_adam = torch.optim.Adam(critic.parameters(), **rate)
    batches = iter(data.train_dataloader())
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            start = time.perf_counter()
        real = next(batches).x
        with torch.no_grad():
            fake = generator(prior.sample(len(real)))
        critic_adam.zero_grad()
        (softplus(-critic(real)).mean() + softplus(critic(fake)).mean()).backward()
        critic_adam.step()
        generator_adam.zero_grad()
        softplus(-critic(generator(prior.sample(len(real))))).mean().backward()
        generator_adam.step()
    return 1000 * (time.perf_counter() - start) / steps


def main() -> None:
    """Alternate the two, print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"steps": 300, "rounds": 7, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", ["model=gan", "network=mlp"])
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, cfg.workers)
    pairs = [(ours(cfg, data, options.steps), plain(cfg, data, options.steps)) for _ in range(options.rounds)]
    ratios = [a / b for a, b in pairs]
    our_time, plain_time = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"ganvas {our_time:.3f} ms/step, plain {plain_time:.3f}")
    print(f"ratio: median {statistics.median(ratios):.3f}, min {min(ratios):.3f}, max {max(ratios):.3f}")


if __name__ == "__main__":
    main()
