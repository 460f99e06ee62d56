"""CelebA faces by their official splits, cropped and resized as the config states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

from ganvas.data.source import DataError, Examples, Source, require_shape
from ganvas.data.sources.decoding import CropThenResize, Decoder
from ganvas.data.sources.files import open_files
from ganvas.data.sources.torchvision import obtain

_OFFICIAL = {"train": "train", "val": "valid", "test": "test"}


@final
class CelebA(Source):
    """Aligned CelebA: 162,770 train, 19,867 val, 19,962 test images of 178x218.

    Reference: Liu et al. 2015, https://arxiv.org/abs/1411.7766

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(3, size, size)``.
        root: folder that holds ``celeba/``; if it is missing, it is downloaded (1.4 GB, with gdown).
        crop: side of the middle square that is kept, in pixels, at most 178.
        size: side to which the square is resized, in pixels (antialiased Lanczos).
        memory_limit_gb: see :func:`~ganvas.data.sources.files.open_files`.

    Raises:
        DataError: another shape, or ``crop`` out of range.
    """

    def __init__(
        self, name: str, shape: Sequence[int], root: str, crop: int, size: int, memory_limit_gb: float
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (3, size, size))
        if not 1 <= crop <= 178:
            raise DataError(f"crop={crop}: must be from 1 to 178, the width of the aligned images.")
        self.root, self.memory_limit_gb = root, memory_limit_gb
        self.place = Path(root).absolute()
        self.decoder = Decoder(channels=3, size=size, resize=CropThenResize(crop))

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return ("train", "val", "test")

    def _load(self, split: str) -> Examples:
        names = obtain(self.name, self.root, lambda download: self._names(_OFFICIAL[split], download))
        folder = Path(self.root) / "celeba" / "img_align_celeba"
        return open_files(folder, names, self.decoder, skip_corrupt=False, memory_limit_gb=self.memory_limit_gb)

    def _names(self, split: str, download: bool) -> list[str]:
        from torchvision.datasets import CelebA as Official

        return list(Official(self.root, split=split, download=download).filename)
