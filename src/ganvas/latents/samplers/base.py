r"""Samplers after training: latents are drawn from a distribution that was fitted to codes, not from the prior.

A decoder is trained on draws of the aggregate posterior :math:`q(z) = \frac1N \sum_n q(z \mid x_n)`, but it samples
from the prior. Where the two differ, the decoder is asked for images of latents that it has never seen. A sampler fits
a second distribution :math:`\hat q(z)` to codes, one draw :math:`z_n \sim q(z \mid x_n)` of each training image, and
samples :math:`x = g(z), \ z \sim \hat q(z)`. Encoder and decoder stay as they are. For an autoencoder without a prior
this is the only way to sample.

References: Dai & Wipf 2019, section 4, https://arxiv.org/abs/1903.05789; Ghosh et al. 2020, section 4,
https://arxiv.org/abs/1903.12436.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.types import DrawsLatents

LEAST: Final = 1e-6
"""Smallest standard deviation of a coordinate, so that one that is constant can be divided by it."""


@dataclass(frozen=True)
class LatentSampler(ABC):
    """Abstract: fits a distribution to codes; the fit is a function of the codes and the arguments.

    Args:
        images: number of training images whose codes are read, at least 2; if there are fewer, all are read.
        seed: seed of the codes and of the fit.
    """

    revision: ClassVar[int]
    """Rises where the same codes and arguments give another distribution."""

    images: int
    seed: int

    @property
    @abstractmethod
    def name(self) -> str:
        """Word for the config and for protocols."""

    @abstractmethod
    def fit(self, codes: Float[Tensor, "n d"]) -> DrawsLatents:
        """Fit the distribution; no global generator is touched.

        Args:
            codes: one of each training image, ``float32`` on the CPU.
        """

    @final
    def stated(self) -> dict[str, Any]:
        """Return what a score depends on, as its protocol states it."""
        numbers = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {"kind": self.name, "revision": self.revision, **numbers}


def check_numbers(sampler: LatentSampler, counted: Iterable[str], positive: Iterable[str]) -> None:
    """Refuse numbers that are too small, and fewer than two images.

    Args:
        sampler: the sampler.
        counted: names of arguments that are at least 1.
        positive: names of arguments that are above 0.

    Raises:
        ValueError: names the argument.
    """
    numbers = vars(sampler)
    wrong = {name: "at least 1" for name in counted if numbers[name] < 1}
    wrong |= {name: "above 0" for name in positive if not numbers[name] > 0}
    wrong |= {"images": "at least 2"} if sampler.images < 2 else {}
    for name, wanted in wrong.items():
        raise ValueError(f"sampler.{name}={numbers[name]}: expected {wanted}; leave it out for the shipped value")


@final
@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and standard deviation of each coordinate, by which a network reads codes of any size.

    Args:
        mean: mean of the codes.
        deviation: their standard deviation, positive.
    """

    mean: Float[Tensor, " d"]
    deviation: Float[Tensor, " d"]

    @staticmethod
    def of(codes: Float[Tensor, "n d"]) -> Scale:
        """Compute both, in double precision.

        Args:
            codes: at least two.
        """
        exact = codes.double()
        return Scale(exact.mean(0).to(codes), exact.std(0, correction=0).clamp(min=LEAST).to(codes))

    def unit(self, z: Float[Tensor, "*k d"]) -> Float[Tensor, "*k d"]:
        """Map latents to mean 0 and standard deviation 1."""
        return (z - self.mean.to(z)) / self.deviation.to(z)

    def back(self, unit: Float[Tensor, "*k d"]) -> Float[Tensor, "*k d"]:
        """Map back."""
        return unit * self.deviation.to(unit) + self.mean.to(unit)


def descend(
    loss: Callable[[Tensor], Tensor],
    parameters: Iterable[nn.Parameter],
    codes: Float[Tensor, "n d"],
    steps: int,
    batch_size: int,
    lr: float,
) -> None:
    r"""Minimise a mean over codes by Adam, whose step size falls to 0 along a cosine.

    Args:
        loss: maps a batch of codes to their mean loss.
        parameters: what is learned.
        codes: all codes; a batch is drawn from them by the global generator, with replacement.
        steps: number of steps.
        batch_size: codes in a batch.
        lr: first step size.
    """
    adam = torch.optim.Adam(parameters, lr=lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    with torch.enable_grad():
        for _ in range(steps):
            adam.zero_grad()
            loss(codes[torch.randint(len(codes), (batch_size,))]).backward()
            adam.step()
            falling.step()
