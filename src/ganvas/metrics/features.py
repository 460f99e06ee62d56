"""One pass over the images a side: every metric is computed from the same features and logits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.extractor import Extractor


@dataclass(frozen=True)
class Features:
    """What one extractor said about one set of images.

    Args:
        values: features, ``float32 (n, d)`` on the CPU.
        logits: class logits, ``float32 (n, k)`` on the CPU, or None where the extractor has none.
        extractor: name of the extractor.
        weights_hash: SHA-256 of the extractor's weights.
    """

    values: Float[Tensor, "n d"]
    logits: Float[Tensor, "n k"] | None
    extractor: str
    weights_hash: str

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.values)


def extract(extractor: Extractor, images: Iterable[Tensor] | Tensor, batch_size: int) -> Features:
    """Run the extractor over a set of images.

    Args:
        extractor: on the device it should run on.
        images: ``uint8 (n, c, h, w)``, or an iterable of such batches, which may differ in n only.
        batch_size: images in one forward, at least 1; larger batches are cut, smaller ones are not merged.

    Returns:
        Features of all images, in order.

    Raises:
        ValueError: no image, a batch size below 1, or images that the extractor refuses.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}; 256 is a good start")
    batches = [images] if isinstance(images, Tensor) else images
    parts = [_on_cpu(extractor(x)) for batch in batches for x in batch.split(batch_size) if len(x)]
    if not parts:
        raise ValueError("images: expected at least one image, got none; check the folder, split or sample count")
    # Concatenation outside inference mode gives ordinary tensors.
    logits = [logits for _, logits in parts if logits is not None]
    return Features(
        values=torch.cat([values for values, _ in parts]),
        logits=torch.cat(logits) if logits else None,
        extractor=extractor.name,
        weights_hash=extractor.weights_hash,
    )


def _on_cpu(pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """Take one batch's result off the device, so that the device holds one batch at a time."""
    values, logits = pair
    return values.float().cpu(), None if logits is None else logits.float().cpu()
