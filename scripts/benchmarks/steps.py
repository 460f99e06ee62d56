"""Compare the time of a training step of ganvas with that of a plain PyTorch loop, for five models.

Both sides have the same batches of the embedded digits, the same networks and the same number of threads. Our side runs
inside Lightning's trainer with the callbacks of a real run that act on every batch (NaN watch, logging every
``log.every`` images, averaged weights). The plain loop has torch's default Adam in float32 and draws fresh fakes for
each network. Each side has a process of its own, since ganvas changes how the C library keeps memory; with ``--kept``
the plain loop does so too. Blocks of steps alternate, one process at a time; medians of their ratios are printed.

Usage: python scripts/benchmark_step.py [CASE ...] [--steps 200] [--rounds 5] [--threads 2] [--kept] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.models import Model
from ganvas.run.callbacks.log_terms import LogTerms
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.memory import keep_freed_memory
from ganvas.run.training import make_trainer
from ganvas.tracking.run import SilentRun

WARM_UP = 40
Step = Callable[[Tensor], None]


class Stopwatch(pl.Callback):
    """Measures the seconds of ``steps`` batches after the warm-up, then stops the training."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seconds = 0.0
        self.done = 0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Lightning's hook."""
        self.done += 1
        if self.done == WARM_UP:
            self.start = time.perf_counter()
        if self.done == WARM_UP + self.steps:
            self.seconds = time.perf_counter() - self.start
            trainer.should_stop = True


def ours(cfg: DictConfig, data: DataModule, steps: int) -> float:
    """Measure the milliseconds of one step of ganvas."""
    torch.manual_seed(0)
    model: Model = build(cfg.model)
    watch = Stopwatch(steps)
    watchers: list[pl.Callback] = [StopWhenNotFinite(cfg.log.every), LogTerms(SilentRun(), cfg.log.every), watch]
    trainer = make_trainer(cfg, Path())
    trainer.callbacks.extend(watchers)  # type: ignore[attr-defined]
    trainer.fit(model, data)
    return 1000 * watch.seconds / steps


def gan_step(cfg: DictConfig) -> Step:
    """Make the step of a GAN: one update of each network by the non-saturating loss."""
    generator, critic, prior = build(cfg.network.generator), build(cfg.network.critic), build(cfg.prior)
    generator_adam, critic_adam = _adam(cfg, generator), _adam(cfg, critic)

    def step(real: Tensor) -> None:
        with torch.no_grad():
            fake = generator(prior.sample(len(real)))
        critic_adam.zero_grad()
        (softplus(-critic(real)).mean() + softplus(critic(fake)).mean()).backward()
        critic_adam.step()
        generator_adam.zero_grad()
        softplus(-critic(generator(prior.sample(len(real))))).mean().backward()
        generator_adam.step()

    return step


def wgan_gp_step(cfg: DictConfig) -> Step:
    """Make the step of a WGAN-GP: one update of the critic, and every ``n_critic``-th time one of the generator."""
    generator, critic, prior = build(cfg.network.generator), build(cfg.network.critic), build(cfg.prior)
    generator_adam, critic_adam = _adam(cfg, generator), _adam(cfg, critic)
    turns = count(1)

    def step(real: Tensor) -> None:
        with torch.no_grad():
            fake = generator(prior.sample(len(real)))
        critic_adam.zero_grad()
        x = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        (critic(fake).mean() - critic(real).mean() + penalty).backward()
        critic_adam.step()
        if next(turns) % cfg.model.n_critic == 0:
            generator_adam.zero_grad()
            (-critic(generator(prior.sample(len(real)))).mean()).backward()
            generator_adam.step()

    return step


def vae_step(cfg: DictConfig) -> Step:
    """Make the step of a VAE: one update by the ELBO of binary pixels."""
    encoder, decoder = build(cfg.network.encoder), build(cfg.network.decoder)
    adam = _adam(cfg, encoder, decoder)

    def step(x: Tensor) -> None:
        q = encoder(x).base_dist
        logits = decoder(q.loc + q.scale * torch.randn_like(q.scale))
        kl = ((q.loc.square() + q.scale.square() - 1) / 2 - q.scale.log()).sum()
        loss = (binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum") + kl) / len(x)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def _adam(cfg: DictConfig, *networks: torch.nn.Module) -> torch.optim.Optimizer:
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=cfg.optimizer.lr, betas=tuple(cfg.optimizer.betas))


def plain(cfg: DictConfig, data: DataModule, steps: int, make: Callable[[DictConfig], Step]) -> float:
    """Measure the milliseconds of one step of the plain loop."""
    torch.manual_seed(0)
    step, batches = make(cfg), _stream(data)
    for _ in range(WARM_UP):
        step(next(batches))
    start = time.perf_counter()
    for _ in range(steps):
        step(next(batches))
    return 1000 * (time.perf_counter() - start) / steps


def _stream(data: DataModule) -> Iterator[Tensor]:
    return (batch.x for batch in data.train_dataloader())


CASES: dict[str, tuple[list[str], Callable[[DictConfig], Step]]] = {
    "gan_mlp": (["model=gan", "network=mlp"], gan_step),
    "gan_dcgan": (["model=gan", "network=dcgan"], gan_step),
    "wgan_gp_dcgan": (["model=wgan_gp", "network=dcgan"], wgan_gp_step),
    "wgan_gp_dcgan_n_critic_1": (["model=wgan_gp", "network=dcgan", "model.n_critic=1"], wgan_gp_step),
    "vae_mlp": (["model=vae", "network=mlp"], vae_step),
}


def block(side: str, name: str, overrides: Sequence[str], steps: int, threads: int) -> float:
    """Measure the milliseconds of one step of one side, in the calling process."""
    torch.set_num_threads(threads)
    own, make = CASES[name]
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", [*own, *overrides])
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, cfg.workers)
    if side != "plain":
        keep_freed_memory()
    return ours(cfg, data, steps) if side == "ours" else plain(cfg, data, steps, make)


def measure(name: str, options: argparse.Namespace) -> str:
    """Measure one case; returns a line with the medians of both sides and of the ratios of neighbouring blocks."""
    sides = ("ours", "plain, memory kept" if options.kept else "plain")
    pools = {side: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for side in sides}
    arguments = (name, options.set, options.steps, options.threads)
    pairs = [[pools[s].submit(block, s, *arguments).result() for s in sides] for _ in range(options.rounds)]
    for pool in pools.values():
        pool.shutdown()
    ratios = [a / b for a, b in pairs]
    our_time, plain_time = (statistics.median(times) for times in zip(*pairs, strict=True))
    spread = f"median {statistics.median(ratios):.3f}, min {min(ratios):.3f}, max {max(ratios):.3f}"
    return f"{name:26} ganvas {our_time:7.3f} ms, {sides[1]} {plain_time:7.3f} ms, ratio {spread}"


def main() -> None:
    """Measure the cases of the command line and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)}; default: all of them")
    for option, default in {"steps": 200, "rounds": 5, "threads": 2}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--kept", action="store_true", help="the plain loop keeps freed memory as ganvas does")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the config")
    options = parser.parse_args()
    for name in options.cases or CASES:
        print(measure(name, options), flush=True)


if __name__ == "__main__":
    main()
