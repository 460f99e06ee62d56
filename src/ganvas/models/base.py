r"""What every model shares: the count of images seen, one optimiser step, averaged weights, and sampling.

The progress axis is **images seen**: real images the model has been shown, over all processes. Lightning's
``global_step`` counts every optimiser's steps and is used for nothing here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.models.ema import EMA
from ganvas.models.schedules import Schedule
from ganvas.types import Prior, Shape

OptimizerFactory = Callable[..., torch.optim.Optimizer]
SAMPLE_BATCH = 500


class Model(pl.LightningModule, ABC):
    """Base of GAN, WGAN and VAE: a step on a batch, and the book-keeping around it.

    Args:
        prior: distribution of the latents.
        parts: the networks by name; they become attributes, and the prefixes of the checkpoint's keys.
        averaged: names of the parts that are sampled from, and so averaged.
        ema_halflife: memory of the averaged weights in images; None keeps no average.
        gradient_clip: largest L2 norm of an optimiser's gradient; None clips nothing.
        schedule: factor on the learning rates by images seen.
    """

    headline: ClassVar[tuple[str, ...]]
    """The two or three terms to watch."""

    def __init__(
        self,
        prior: Prior,
        parts: dict[str, nn.Module],
        averaged: tuple[str, ...],
        ema_halflife: int | None,
        gradient_clip: float | None,
        schedule: Schedule,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.prior = prior
        for name, part in parts.items():
            setattr(self, name, part)
        self.parts = tuple(parts)
        self.averages = nn.ModuleDict(
            {name: EMA(parts[name], ema_halflife) for name in averaged} if ema_halflife is not None else {}
        )
        self.gradient_clip = gradient_clip
        self.schedule = schedule
        self.images_seen = 0
        self.updates = 0
        self.terms: dict[str, Tensor] = {}
        self._random_state: dict[str, Any] | None = None

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Shape of one example."""

    @abstractmethod
    def step(self, x: Float[Tensor, " n *shape"]) -> dict[str, Tensor]:
        """Update on one batch of examples in [-1, 1]; returns the named loss terms, detached."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        """Latents to examples in [-1, 1], by the averaged weights where they are kept."""

    def training_step(self, batch: Float[Tensor, " n *shape"], batch_idx: int) -> None:
        """Lightning's hook: one batch."""
        self._set_learning_rates()
        images = batch.shape[0] * self.trainer.world_size
        self.terms = self.step(batch)
        self.updates += 1
        self.images_seen += images
        for name, average in self._averages():
            average.update(getattr(self, name), images, self.images_seen)

    def update(self, optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
        """One optimiser step down ``loss``, its gradient clipped where asked."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.gradient_clip is not None:
            # Under 16-mixed the gradients still carry the loss scale here: the bound is scaled, not they unscaled.
            bound = self.gradient_clip * self._loss_scale()
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, bound)
        optimizer.step()

    def sample(self, n: int, seed: int) -> Float[Tensor, " n *shape"]:
        """``n`` examples in [-1, 1], a pure function of the weights and ``seed``; the global generator is not touched.

        Args:
            n: how many.
            seed: of the latents, drawn on the CPU so that devices agree.
        """
        z = self.prior.sample(n, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad(), evaluating(self):
            return torch.cat([self.decode(chunk.to(self.device)) for chunk in z.split(SAMPLE_BATCH)])

    def part(self, name: str) -> nn.Module:
        """The network ``name`` with the weights it is judged by: averaged where an average is kept."""
        averages = dict(self._averages())
        return averages[name].module if name in averages else getattr(self, name)

    def restart_averages(self) -> None:
        """Let the averages begin anew from the weights as they are, after something else than training has set them."""
        for name, average in self._averages():
            average.module.load_state_dict(getattr(self, name).state_dict())

    @property
    def weights(self) -> str:
        """Which weights :meth:`sample` uses: ``"ema"`` or ``"raw"``."""
        return "ema" if len(self.averages) else "raw"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the position and the random state, so that a resumed run goes on bit for bit."""
        checkpoint["images_seen"] = self.images_seen
        checkpoint["updates"] = self.updates
        checkpoint["random_state"] = _random_state()
        # Lightning's loop counters would say that its one epoch is over, and a larger budget could not go on.
        checkpoint.pop("loops", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the position; the random state waits for :meth:`on_train_start`."""
        self.images_seen = checkpoint["images_seen"]
        self.updates = checkpoint["updates"]
        self._random_state = checkpoint["random_state"]

    def on_train_start(self) -> None:
        """Restore the random state last, so that nothing drawn during set-up moves it."""
        if self._random_state is not None:
            torch.set_rng_state(self._random_state["cpu"])
            torch.cuda.set_rng_state_all(self._random_state["cuda"])
            self._random_state = None

    def _averages(self) -> Iterator[tuple[str, EMA]]:
        return ((name, average) for name, average in self.averages.items() if isinstance(average, EMA))

    def _set_learning_rates(self) -> None:
        factor = self.schedule(self.images_seen)
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def _loss_scale(self) -> float:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return scaler.get_scale() if scaler is not None else 1.0


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Dropout off and batch statistics fixed inside the block; each sub-module's mode is restored after it."""
    modes = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for child, mode in modes:
            child.training = mode


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradients for ``module``'s parameters inside the block; gradients still flow through it to its input."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
