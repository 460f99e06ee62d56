"""One pass over the images a side: every metric is computed from the same features and logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.extractors.base import Extractor
from ganvas.metrics.frechet import Moments
from ganvas.metrics.neighbours import Radii, radii
from ganvas.metrics.validation import require_images
from ganvas.types import Shape


@dataclass(frozen=True)
class Features:
    """What one extractor said about one set of images.

    Args:
        values: features, ``float32 (n, d)`` on the CPU.
        logits: class logits, ``float32 (n, k)`` on the CPU, or None where the extractor has none.
        extractor: name of the extractor.
        weights_hash: SHA-256 of the extractor's weights.
        shape: ``(c, h, w)`` of the images, or None where it is not known.
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

    @cached_property
    def moments(self) -> Moments:
        """Mean and covariance, computed once.

        Raises:
            ValueError: fewer than 2 images, or features that are not finite.
        """
        require_images("a covariance", 2, features=self.values)
        return Moments.of(self.values)

    def radii(self, prc_neighbours: int, dc_neighbours: int) -> Radii:
        """Radii of the images' balls, computed once for each pair of k.

        Args:
            prc_neighbours: k of precision and recall.
            dc_neighbours: k of density and coverage.
        """
        ks = prc_neighbours, dc_neighbours
        if ks not in self._radii:
            self._radii[ks] = radii(self.values, prc_neighbours=prc_neighbours, dc_neighbours=dc_neighbours)
        return self._radii[ks]

    def remember(self, prc_neighbours: int, dc_neighbours: int, known: Radii) -> None:
        """Take what :meth:`radii` returned for the same images before.

        Args:
            prc_neighbours: k of precision and recall.
            dc_neighbours: k of density and coverage.
            known: radii for these.
        """
        self._radii[prc_neighbours, dc_neighbours] = known

    @cached_property
    def _radii(self) -> dict[tuple[int, int], Radii]:
        return {}

    def take(self, index: Int64[Tensor, " m"]) -> Features:
        """The features of some of the images.

        Args:
            index: which, in [0, n).

        Returns:
            A copy, in the order of ``index``.
        """
        logits = None if self.logits is None else self.logits[index]
        return Features(self.values[index], logits, self.extractor, self.weights_hash, self.shape)


def extract(extractor: Extractor, images: Iterable[Tensor] | Tensor, batch_size: int) -> Features:
    """Run the extractor over a set of images.

    Args:
        extractor: on the device it should run on.
        images: ``uint8 (n, c, h, w)``, or an iterable of such batches, which may differ in n only.
        batch_size: images in one forward, at least 1; larger batches are cut, smaller ones are not merged.

    Returns:
        Features of all images, in order.

    Raises:
        ValueError: no image, a batch size below 1, mixed sizes, or images that the extractor refuses.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}; 256 is a good start")
    shapes: set[Shape] = set()
    batches = _one_shape([images] if isinstance(images, Tensor) else images, shapes)
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
        shape=shapes.pop(),
    )


def _one_shape(batches: Iterable[Tensor], seen: set[Shape]) -> Iterator[Tensor]:
    """Pass batches through, noting their shape in ``seen``; refuse a second one, since sizes would mix in one score."""
    for batch in batches:
        seen.add(tuple(batch.shape[1:]))
        if len(seen) > 1:
            sizes = " and ".join(sorted("x".join(map(str, shape)) for shape in seen))
            raise ValueError(f"images: expected one shape, got {sizes}; resize or convert the images first")
        yield batch


def _on_cpu(pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """Take one batch's result off the device, so that the device holds one batch at a time."""
    values, logits = pair
    return values.float().cpu(), None if logits is None else logits.float().cpu()
