r"""Transforms of float batches: none, or one of the two binarisations for Bernoulli models.

A grey value :math:`x \in [-1, 1]` is taken as the probability of white, and becomes

.. math:: b = 2 \cdot [u < (x + 1) / 2] - 1 \in \{-1, 1\}, \qquad u \sim U[0, 1).

*Dynamic* binarisation draws :math:`u` each time an image is shown; *fixed* binarisation draws it once for each pixel of
each image, so that the data set is one binary data set.

Reference: dynamic: Burda, Grosse, Salakhutdinov 2015, Section 5.1, https://arxiv.org/abs/1509.00519 (after
Salakhutdinov and Murray 2008); fixed: Larochelle and Murray 2011, http://proceedings.mlr.press/v15/larochelle11a.html
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from ganvas.data.seeding import derive
from ganvas.data.source import DataError
from ganvas.types import Shape


class Transform(ABC):
    """A map of batches; random ones are a pure function of their arguments."""

    def describe(self) -> dict[str, Any]:
        """Name and arguments, for protocols."""
        return {"name": type(self).__name__, **{k: v for k, v in vars(self).items() if not k.startswith("_")}}

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Refuse examples that the transform cannot serve.

        Raises:
            DataError: the transform cannot serve the shape; names both.
        """

    @abstractmethod
    def __call__(
        self, x: Float[Tensor, " n *shape"], index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, " n *shape"]:
        """Transform one batch.

        Args:
            x: images in [-1, 1], or points.
            index: position of each example in its split.
            generator: for draws that differ each time; its state follows from (seed, images seen).
        """


@final
class Identity(Transform):
    """Leaves batches as they are."""

    def check(self, shape: Shape) -> None:
        """Serves every shape."""

    def __call__(
        self, x: Float[Tensor, " n *shape"], index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, " n *shape"]:
        """See :class:`Transform`."""
        return x


@final
class DynamicBinarisation(Transform):
    """Fresh Bernoulli draws each time an image is shown."""

    def check(self, shape: Shape) -> None:
        """Serves images."""
        _require_images("dynamic_binarisation", shape)

    def __call__(
        self, x: Float[Tensor, "n c h w"], index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, "n c h w"]:
        """See :class:`Transform`."""
        return binarise(x, torch.rand(x.shape, generator=generator))


@final
class FixedBinarisation(Transform):
    """One Bernoulli draw for each pixel of each image: a function of (seed, index), equal in all epochs and runs.

    Args:
        seed: seed of the binary data set; each seed gives another one.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = np.uint64(derive("fixed_binarisation", seed))

    def check(self, shape: Shape) -> None:
        """Serves images."""
        _require_images("fixed_binarisation", shape)

    def __call__(
        self, x: Float[Tensor, "n c h w"], index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, "n c h w"]:
        """See :class:`Transform`."""
        pixels = x[0].numel()
        counter = index.numpy().astype(np.uint64)[:, None] * np.uint64(pixels) + np.arange(pixels, dtype=np.uint64)
        return binarise(x, torch.from_numpy(counter_uniform(self._key, counter)).reshape(x.shape))


def binarise(x: Float[Tensor, "*batch"], u: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Turn pixels white (1) if the uniform draw lies below the grey value as a probability, else black (-1)."""
    return (u < (x + 1) / 2).to(x.dtype).mul_(2).sub_(1)


def counter_uniform(key: np.uint64, counter: np.ndarray) -> Float32[np.ndarray, " ..."]:
    """Draw uniformly from [0, 1) as a function of (key, counter): 24 bits of the output function of SplitMix64.

    Reference: Steele, Lea, Flood 2014, Figure 12, https://doi.org/10.1145/2660193.2660195

    Args:
        key: key of the stream.
        counter: ``uint64`` counters of any shape.
    """
    z = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _require_images(transform: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise DataError(f"transform={transform}: serves images, not points of shape {list(shape)}; use transform=none.")
