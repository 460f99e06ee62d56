r"""Time of a training step of ganvas against a plain PyTorch loop, and against what the device allows.

Both sides have the same batches, the same networks and the same number of threads. Our side runs inside Lightning's
trainer with the callbacks of a real run that act on every batch (NaN watch, logging every ``log.every`` images,
averaged weights). The plain loop has torch's default Adam in float32 and draws fresh fakes for each network. Each side
has a process of its own, since ganvas changes how the C library keeps memory. Blocks of steps alternate, one process at
a time. Rows of a GPU are added where there is one.

.. math:: \text{share of the roofline} = \frac{F / P + B / W}{t},

with the step's floating-point operations F and the bytes B that Adam reads and writes, the speed P of a 2048 x 2048
product and the bandwidth W of a copy, both measured in the same minutes, and the time t of our step.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, relu, softplus
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.rows import Found, Options, Part, Row, Skipped
from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.models import Model
from ganvas.run.callbacks.cuda_graphs import graphs_of
from ganvas.run.callbacks.log_terms import LogTerms
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.gpus import answer_from_memory
from ganvas.run.memory import keep_freed_memory
from ganvas.run.training import make_trainer
from ganvas.tracking.run import SilentRun

Device = Literal["cpu", "cuda"]
WARM_UP = 40
SECONDS: dict[Device, float] = {"cpu": 4.0, "cuda": 1.0}
"""Length of a block."""
ADAM_BYTES = 28
"""Bytes that Adam moves for a weight: it reads weight, gradient and two moments, and writes all but the gradient."""
COLOUR = Path(tempfile.gettempdir()) / "ganvas-benchmark-32.npz"
"""Images of noise, 3 x 32 x 32: their content does not matter to the time."""
Step = Callable[[Tensor], None]
Maker = Callable[[DictConfig, Device], Step]


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
            self.start = now()
        if self.done == WARM_UP + self.steps:
            self.seconds = now() - self.start
            trainer.should_stop = True


def now() -> float:
    """Read the clock, after a GPU has done what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def ours(cfg: DictConfig, data: DataModule, steps: int) -> float:
    """Measure the milliseconds of one step of ganvas."""
    torch.manual_seed(0)
    model: Model = build(cfg.model)
    watch = Stopwatch(steps)
    watchers: list[pl.Callback] = [StopWhenNotFinite(cfg.log.every), LogTerms(SilentRun(), cfg.log.every), watch]
    trainer = make_trainer(cfg, Path())
    trainer.callbacks.extend([*watchers, *graphs_of(cfg, trainer, model)])  # type: ignore[attr-defined]
    trainer.fit(model, data)
    return 1000 * watch.seconds / steps


def gan_step(cfg: DictConfig, device: Device, hinge: bool = False) -> Step:
    """Make the step of a GAN: one update of each network by the non-saturating loss, or by the hinge loss."""
    model = build(cfg.model).to(device)  # builds the networks with what the constraint adds to them
    generator, critic, prior = model.trained("generator"), model.trained("critic"), build(cfg.prior)
    generator_adam, critic_adam = _adam(cfg, generator), _adam(cfg, critic)

    def step(real: Tensor) -> None:
        with torch.no_grad():
            fake = generator(prior.sample(len(real), device=device))
        critic_adam.zero_grad()
        a, b = critic(real), critic(fake)
        (relu(1 - a).mean() + relu(1 + b).mean() if hinge else softplus(-a).mean() + softplus(b).mean()).backward()
        critic_adam.step()
        generator_adam.zero_grad()
        judged = critic(generator(prior.sample(len(real), device=device)))
        (-judged.mean() if hinge else softplus(-judged).mean()).backward()
        generator_adam.step()

    return step


def wgan_gp_step(cfg: DictConfig, device: Device) -> Step:
    """Make the step of a WGAN-GP: one update of the critic, and every ``n_critic``-th time one of the generator."""
    generator, critic = build(cfg.network.generator).to(device), build(cfg.network.critic).to(device)
    prior = build(cfg.prior)
    generator_adam, critic_adam = _adam(cfg, generator), _adam(cfg, critic)
    turns = count(1)

    def step(real: Tensor) -> None:
        with torch.no_grad():
            fake = generator(prior.sample(len(real), device=device))
        critic_adam.zero_grad()
        x = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1, device=device)).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        (critic(fake).mean() - critic(real).mean() + penalty).backward()
        critic_adam.step()
        if next(turns) % cfg.model.n_critic == 0:
            generator_adam.zero_grad()
            (-critic(generator(prior.sample(len(real), device=device))).mean()).backward()
            generator_adam.step()

    return step


def vae_step(cfg: DictConfig, device: Device, k: int = 1) -> Step:
    """Make the step of a VAE: one update by the ELBO of binary pixels, or by the bound of k weighted draws."""
    encoder, decoder = build(cfg.network.encoder).to(device), build(cfg.network.decoder).to(device)
    adam = _adam(cfg, encoder, decoder)

    def elbo(x: Tensor, q: torch.distributions.Normal) -> Tensor:
        logits = decoder(q.loc + q.scale * torch.randn_like(q.scale))
        kl = ((q.loc.square() + q.scale.square() - 1) / 2 - q.scale.log()).sum()
        return (binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum") + kl) / len(x)

    def bound(x: Tensor, q: torch.distributions.Normal) -> Tensor:
        noise = torch.randn(k, *q.loc.shape, device=device)
        z = q.loc + q.scale * noise
        logits = decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        target = ((x + 1) / 2).expand_as(logits)
        log_px = -binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(2).sum(2)
        log_w = log_px + ((noise.square() - z.square()) / 2 + q.scale.log()).sum(2)
        return -log_w.logsumexp(0).mean()

    def step(x: Tensor) -> None:
        loss = (elbo if k == 1 else bound)(x, encoder(x).base_dist)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def _adam(cfg: DictConfig, *networks: torch.nn.Module) -> torch.optim.Optimizer:
    parameters = [p for network in networks for p in network.parameters()]
    betas = tuple(cfg.optimizer.get("betas", (0.9, 0.999)))
    return torch.optim.Adam(parameters, lr=cfg.optimizer.lr, betas=betas)


def plain(cfg: DictConfig, data: DataModule, steps: int, make: Maker, device: Device) -> float:
    """Measure the milliseconds of one step of the plain loop."""
    torch.manual_seed(0)
    step, batches = make(cfg, device), _stream(data, device)
    for _ in range(WARM_UP):
        step(next(batches))
    start = now()
    for _ in range(steps):
        step(next(batches))
    return 1000 * (now() - start) / steps


def _stream(data: DataModule, device: Device) -> Iterator[Tensor]:
    return (batch.x.to(device) for batch in data.train_dataloader())


class Case(NamedTuple):
    """A model whose step is measured.

    Args:
        line: overrides of the config.
        make: makes the plain loop's step.
        dense: whether the networks have no convolution.
    """

    line: list[str]
    make: Maker
    dense: bool


CASES: dict[str, Case] = {
    "gan_mlp": Case(["model=gan", "network=mlp"], gan_step, dense=True),
    "gan_dcgan": Case(["model=gan", "network=dcgan"], gan_step, dense=False),
    "wgan_gp_dcgan": Case(["model=wgan_gp", "network=dcgan"], wgan_gp_step, dense=False),
    "wgan_gp_dcgan_n_critic_1": Case(["model=wgan_gp", "network=dcgan", "model.n_critic=1"], wgan_gp_step, dense=False),
    "vae_mlp": Case(["model=vae", "network=mlp"], vae_step, dense=True),
    "iwae_5": Case(["model=iwae", "network=mlp"], partial(vae_step, k=5), dense=True),
    "sngan_resnet_32": Case(
        ["model=sngan", "network=sngan_resnet", "data=npz", f"data.path={COLOUR}"], partial(gan_step, hinge=True), False
    ),
    "gan_maxout": Case(["model=gan", "network=maxout", "prior=uniform"], gan_step, dense=True),
}


def block(
    side: str, name: str, overrides: Sequence[str], device: Device, threads: int, milliseconds: float | None
) -> float:
    """Measure the milliseconds of one step of one side, in the calling process.

    Args:
        side: ``ours`` or ``plain``.
        name: a key of :data:`CASES`.
        overrides: further overrides of the config.
        device: where the networks are.
        threads: threads of torch.
        milliseconds: about the time of a step; None for the first block, which finds it out.
    """
    torch.set_num_threads(threads)
    answer_from_memory()  # on both sides: a plain loop has no Lightning, which would make its Adam slower
    cfg, data = _parts(name, overrides, device)
    steps = 20 if milliseconds is None else max(20, round(1000 * SECONDS[device] / milliseconds))
    if side == "ours":
        keep_freed_memory()
        return ours(cfg, data, steps)
    return plain(cfg, data, steps, CASES[name].make, device)


def _parts(name: str, overrides: Sequence[str], device: Device) -> tuple[DictConfig, DataModule]:
    accelerator = f"trainer.accelerator={'gpu' if device == 'cuda' else 'cpu'}"
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", [*CASES[name].line, accelerator, *overrides])
    return cfg, DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, cfg.workers)


def work_of(name: str, device: Device, threads: int) -> tuple[float, float]:
    """Count a step's floating-point operations, and the milliseconds that they and Adam's bytes take at the least."""
    torch.set_num_threads(threads)
    cfg, data = _parts(name, (), device)
    turns = cfg.model.get("n_critic", 1)
    step, batches = CASES[name].make(cfg, device), _stream(data, device)
    with patch.object(flop_counter, "ModuleTracker", _NoModules), FlopCounterMode(display=False) as counter:
        for _ in range(turns):
            step(next(batches))
    flop = counter.get_total_flops() / turns
    moved = ADAM_BYTES * sum(p.numel() for part in _updated(cfg, turns) for p in part.parameters())
    return flop, 1000 * (flop / _speed(device) + moved / _bandwidth(device))


class _NoModules:
    """Stands for the counter's list of modules, whose hooks fail inside ``torch.autograd.grad``."""

    parents = ("Global",)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _updated(cfg: DictConfig, turns: int) -> Iterator[torch.nn.Module]:
    """The networks that a step updates; with several critic updates the generator's share is left out."""
    names = {"encoder", "decoder"} if "encoder" in cfg.model else {"critic"} if turns > 1 else {"generator", "critic"}
    model: Model = build(cfg.model)
    return (model.trained(name) for name in sorted(names))


def _speed(device: Device) -> float:
    n = 8192 if device == "cuda" else 2048  # large enough to fill the device
    a, b = torch.rand(n, n, device=device), torch.rand(n, n, device=device)
    return 2 * n**3 / _fastest(lambda: a @ b)


def _bandwidth(device: Device) -> float:
    n = 2**29 if device == "cuda" else 2**25  # many times what a cache holds
    source, target = torch.rand(n, device=device), torch.empty(n, device=device)
    return 2 * 4 * n / _fastest(lambda: target.copy_(source))


def _fastest(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(8):
        start = now()
        work()
        seconds.append(now() - start)
    return statistics.median(seconds[2:])


def measure(name: str, kinds: dict[str, Sequence[str]], device: Device, options: Options) -> dict[str, Found]:
    """Measure the ratios of neighbouring blocks: each of our kinds against the plain loop, which stays float32.

    Args:
        name: a key of :data:`CASES`.
        kinds: overrides of our side, by the row's name.
        device: where the networks are.
        options: rounds and threads.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise Skipped("no GPU on this machine")
    if not COLOUR.exists():
        np.savez(COLOUR, images=np.random.default_rng(0).integers(0, 256, (5000, 32, 32, 3), dtype=np.uint8))
    lines = {"plain": (), **kinds}
    pools = {side: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for side in ("ours", "plain")}

    def run(kind: str, milliseconds: float | None) -> float:
        side = "plain" if kind == "plain" else "ours"
        return pools[side].submit(block, side, name, lines[kind], device, options.threads, milliseconds).result()

    _, floor = pools["plain"].submit(work_of, name, device, options.threads).result()
    about = {kind: run(kind, None) for kind in lines}
    times = [{kind: run(kind, about[kind]) for kind in lines} for _ in range(options.rounds)]
    for pool in pools.values():
        pool.shutdown()
    middle = {kind: statistics.median(each[kind] for each in times) for kind in lines}
    found = {}
    for kind in kinds:
        share = "" if HALF[0] in kinds[kind] else f"; roofline {floor / middle[kind]:.2f}"  # which is float32's
        note = f"{middle[kind]:.2f} against {middle['plain']:.2f} ms{share}"
        found[kind] = Found([each[kind] / each["plain"] for each in times], "x", note)
    return found


HALF = ("trainer.precision=bf16-mixed",)
GRAPHS = ("cuda_graphs=true",)
ON_GPU: dict[str, Sequence[str]] = {"": (), "_bf16": HALF, "_graphs": GRAPHS, "_graphs_bf16": GRAPHS + HALF}


def _part(name: str, device: Device, kinds: dict[str, Sequence[str]], targets: Sequence[float | None]) -> Part:
    part = f"step_{name}" if device == "cpu" else f"step_{name}_gpu"
    against = "plain float32 loop" + (" on the GPU" if device == "cuda" else "")
    rows = {f"{part}{kind}": line for kind, line in kinds.items()}
    shown = tuple(Row(row, against, target) for row, target in zip(rows, targets, strict=True))
    return Part(part, shown, partial(measure, name, rows, device))


def _parts_of_the_benchmark() -> Iterator[Part]:
    for name, case in CASES.items():
        yield _part(name, "cpu", {"": (), "_bf16": HALF}, (0.80, 0.40 if case.dense else 0.55))
    for name in CASES:
        yield _part(name, "cuda", ON_GPU, (None,) * len(ON_GPU))


PARTS = tuple(_parts_of_the_benchmark())
