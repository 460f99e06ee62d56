"""Features of a set of images, extracted in one pass and shared by all metrics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.extractors.base import Extractor
from ganvas.types import Shape

T = TypeVar("T")


class Remembers:
    """Base of values that metrics share: what several of them compute of a value is computed once."""

    def once(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Compute something of this value at the first call, and return it from memory afterwards.

        Args:
            name: key of what is computed.
            compute: called at most once for each name.
        """
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    @cached_property
    def _kept(self) -> dict[Hashable, Any]:
        return {}


@dataclass(frozen=True)
class Features(Remembers):
    """Features and logits of one set of images by one extractor.

    Args:
        values: features, ``float32 (n, d)`` on the CPU; ``float16`` if they are mapped from a file.
        logits: class logits, ``(n, k)`` of the same kind, or None if the extractor has none.
        extractor: name of the extractor.
        weights_hash: SHA-256 of the extractor's weights.
        shape: ``(c, h, w)`` of the images, or None if unknown.
    """

    values: Float[Tensor, "n d"]
    logits: Float[Tensor, "n k"] | None
    extractor: str
    weights_hash: str
    shape: Shape | None = None

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.values)

    @property
    def on_disk(self) -> bool:
        """Whether the features are mapped from a file, in float16; see :mod:`ganvas.extractors.on_disk`."""
        return self.values.dtype == torch.float16

    def in_memory(self) -> Features:
        """Return the features in memory, in float32; they are read once."""
        if not self.on_disk:
            return self
        return self.once("in memory", lambda: self.take(torch.arange(self.n)))

    def take(self, index: Int64[Tensor, " m"]) -> Features:
        """Select the features of some of the images.

        Args:
            index: positions of the images, in [0, n).

        Returns:
            A copy in memory, in float32, in the order of ``index``.
        """
        logits = None if self.logits is None else self.logits[index].float()
        return Features(self.values[index].float(), logits, self.extractor, self.weights_hash, self.shape)


def extract(extractor: Extractor, images: Iterable[Tensor] | Tensor, batch_size: int) -> Features:
    """Run one extractor over a set of images; see :func:`extract_all`."""
    return extract_all([extractor], images, batch_size)[0]


def extract_all(extractors: Sequence[Extractor], images: Iterable[Tensor] | Tensor, batch_size: int) -> list[Features]:
    """Run extractors over a set of images, which is read once: each batch passes all of them.

    Args:
        extractors: each runs on the device of its weights.
        images: ``uint8 (n, c, h, w)``, or an iterable of such batches, which may differ in n only.
        batch_size: images in one forward pass, at least 1; larger batches are split, smaller ones are not merged.

    Returns:
        Features of all images, in order, by each extractor; the same bits as of a pass for it alone.

    Raises:
        ValueError: there is no image, the batch size is below 1, sizes are mixed, or an extractor cannot read the
            images.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}; 256 is a good start")
    shapes: set[Shape] = set()
    batches = _one_shape([images] if isinstance(images, Tensor) else images, shapes)
    parts = [
        [_on_cpu(extractor(x)) for extractor in extractors]
        for batch in batches
        for x in batch.split(batch_size)
        if len(x)
    ]
    if not parts:
        raise ValueError("images: expected at least one image, got none; check the folder, split or sample count")
    shape = shapes.pop()
    return [_joined(e, found, shape) for e, found in zip(extractors, zip(*parts, strict=True), strict=True)]


def _joined(extractor: Extractor, parts: Sequence[tuple[Tensor, Tensor | None]], shape: Shape) -> Features:
    # Concatenation outside inference mode gives ordinary tensors.
    logits = [logits for _, logits in parts if logits is not None]
    return Features(
        values=torch.cat([values for values, _ in parts]),
        logits=torch.cat(logits) if logits else None,
        extractor=extractor.name,
        weights_hash=extractor.weights_hash,
        shape=shape,
    )


def _one_shape(batches: Iterable[Tensor], seen: set[Shape]) -> Iterator[Tensor]:
    """Yield the batches and add their shape to ``seen``; raise for a second shape, since a score must not mix sizes."""
    for batch in batches:
        seen.add(tuple(batch.shape[1:]))
        if len(seen) > 1:
            sizes = " and ".join(sorted("x".join(map(str, shape)) for shape in seen))
            raise ValueError(f"images: expected one shape, got {sizes}; resize or convert the images first")
        yield batch


def _on_cpu(pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """Move one batch's result to the CPU, so that the device holds one batch at a time."""
    values, logits = pair
    return values.float().cpu(), None if logits is None else logits.float().cpu()
