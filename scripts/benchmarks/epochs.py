"""Time of an epoch of a VAE on 60,000 digits against pythae's trainer, with the same networks, batches and threads.

pythae is installed by ``pip install --no-deps pythae``: its own pins would replace torch. The digits are noise, since
their content does not matter to the time. Each side has a process of its own; its first epoch, which imports and warms
up, is not counted.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module

from benchmarks.rows import Found, Options, Skipped, alone

N, BATCH = 60_000, 64
LINE = ["model=vae", "network=mlp", "data=npz", f"batch_size={BATCH}", "score.every=null", "extractor=none"]
LINE += ["likelihood=bernoulli", "transform=dynamic_binarisation"]


class Epochs(pl.Callback):
    """Measures the seconds of each epoch but the first, then stops."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.marks: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Lightning's hook."""
        if pl_module.images_seen // N > len(self.marks):
            self.marks.append(time.perf_counter())
            trainer.should_stop = len(self.marks) == self.rounds + 1


def ours(images: Path, precision: str, options: Options) -> list[float]:
    """Measure the seconds of our epochs, with the callbacks of a real run that act on every batch."""
    from ganvas.config import build
    from ganvas.data.datamodule import DataModule
    from ganvas.run.callbacks.log_terms import LogTerms
    from ganvas.run.callbacks.non_finite import StopWhenNotFinite
    from ganvas.run.gpus import answer_from_memory
    from ganvas.run.memory import keep_freed_memory
    from ganvas.run.training import make_trainer, silence
    from ganvas.tracking.run import SilentRun

    torch.set_num_threads(options.threads)
    silence()
    keep_freed_memory()
    answer_from_memory()
    line = [*LINE, f"data.path={images}", "data.val=0", "data.test=100", f"trainer.precision={precision}"]
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", line)
    trainer, watch = make_trainer(cfg, Path()), Epochs(options.rounds)
    watchers = [StopWhenNotFinite(cfg.log.every), LogTerms(SilentRun(), cfg.log.every), watch]
    trainer.callbacks.extend(watchers)  # type: ignore[attr-defined]
    trainer.fit(build(cfg.model), DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, 0))
    return list(np.diff(watch.marks))


def theirs(images: Path, options: Options) -> list[float]:
    """Measure the seconds of pythae's epochs, with networks of our sizes."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from torch import nn

    from ganvas.run.gpus import answer_from_memory

    torch.set_num_threads(options.threads)
    answer_from_memory()  # pythae has no Lightning, which this script imports and which would make its Adam slower
    logging.disable(logging.CRITICAL)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            layers = (nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
            self.body, self.loc, self.scale = nn.Sequential(*layers), nn.Linear(512, 20), nn.Linear(512, 20)

        def forward(self, x: torch.Tensor) -> ModelOutput:
            h = self.body(x.flatten(1))
            return ModelOutput(embedding=self.loc(h), log_covariance=self.scale(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            layers = (nn.Linear(20, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 784), nn.Sigmoid())
            self.body = nn.Sequential(*layers)

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.body(z).reshape(len(z), 1, 28, 28))

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    digits = torch.from_numpy(np.load(images)["images"])[:N, None].float() / 255
    data = BaseDataset(digits, torch.zeros(N))
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(output_dir=folder, per_device_train_batch_size=BATCH, num_epochs=1, no_cuda=True)
        trainer = BaseTrainer(model, train_dataset=data, training_config=settings)
        trainer.prepare_training()
        seconds = []
        for epoch in range(options.rounds + 1):
            start = time.perf_counter()
            trainer.train_step(epoch)
            seconds.append(time.perf_counter() - start)
    return seconds[1:]


def measure(precision: str, options: Options) -> Found:
    """Measure the ratios of our epochs to theirs."""
    if importlib.util.find_spec("pythae") is None:
        raise Skipped("pythae is not installed: pip install --no-deps pythae imageio")
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "digits.npz"
        draw = np.random.default_rng(0)
        np.savez(images, images=draw.integers(0, 256, (N + 100, 28, 28), dtype=np.uint8))
        took = [_alone(ours, images, precision, options), _alone(theirs, images, options)]
    mine, other = map(statistics.median, took)
    return Found([a / b for a, b in zip(*took, strict=True)], "x", f"{mine:.1f} against {other:.1f} s")


def _alone(work: Any, *arguments: Any) -> list[float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return list(pool.submit(work, *arguments).result())


PARTS = (
    alone("epoch_vae", "pythae's BaseTrainer", 1 / 1.5, partial(measure, "32-true")),
    alone("epoch_vae_bf16", "pythae's BaseTrainer", 1 / 2.5, partial(measure, "bf16-mixed")),
)
