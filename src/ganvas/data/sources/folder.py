r"""Folders of images, with all their sub-folders.

Files are ordered by their path relative to the root, so that neither the file system's order nor the place of the
folder matters. If there is a sub-folder named ``train``, ``val`` or ``test``, these sub-folders are the splits. Else a
hash of its relative path puts a file into a split,

.. math:: u = \mathrm{SHA256}(\text{path}) / 2^{256}: \quad
    u < f_{test} \mapsto \text{test}, \quad u < f_{test} + f_{val} \mapsto \text{val}, \quad \text{else train},

so that adding or removing a file moves no other file to another split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import final

from ganvas.data.source import SPLITS, DataError, Examples, Source, require_shape
from ganvas.data.sources.decoding import EXTENSIONS, RESIZE, Decoder
from ganvas.data.sources.files import open_files


@final
class ImageFolder(Source):
    """A tree of png, jpg, bmp, webp, tif or gif images of any size and mode (see :mod:`ganvas.data.sources.decoding`).

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(channels, size, size)``.
        path: root of the tree.
        size: side of the square images, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: ``center_crop`` (resize the shorter side to ``size``, then cut the middle square) or ``stretch`` (resize
            both sides to ``size``), both with an antialiased Lanczos filter.
        val: fraction of the files in the val split; unused if sub-folders are the splits.
        test: fraction of the files in the test split; unused if sub-folders are the splits.
        skip_corrupt: whether to leave unreadable files out with a warning that names them; else they are an error.
        memory_limit_gb: a split above it is decoded on access, see :func:`~ganvas.data.sources.files.open_files`.

    Raises:
        DataError: an argument out of range.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        path: str,
        size: int,
        channels: int,
        resize: str,
        val: float,
        test: float,
        skip_corrupt: bool,
        memory_limit_gb: float,
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (channels, size, size))
        if resize not in RESIZE:
            raise DataError(f"resize={resize!r}: must be one of {', '.join(RESIZE)}.")
        if val < 0 or test < 0 or val + test >= 1:
            raise DataError(f"val={val}, test={test}: must be fractions of at least 0 whose sum is below 1.")
        self.root, self.val, self.test = Path(path), val, test
        self.decoder = Decoder(channels=channels, size=size, resize=RESIZE[resize])
        self.skip_corrupt, self.memory_limit_gb = skip_corrupt, memory_limit_gb

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`; reads the tree."""
        return tuple(split for split in SPLITS if self._names[split])

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Relative paths of each split, in order."""
        names = image_names(self.root)
        named = self._named = any(name.startswith(f"{split}/") for name in names for split in SPLITS)
        members: dict[str, list[str]] = {split: [] for split in SPLITS}
        for name in names:
            split = name.split("/")[0] if named else self._drawn(name)
            if split not in members:
                raise DataError(
                    f"{self.root / name}: lies beside the sub-folders train, val and test, in no split; "
                    "move it into one of them."
                )
            members[split].append(name)
        return members

    def _drawn(self, name: str) -> str:
        u = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") / 2**256
        return "test" if u < self.test else "val" if u < self.test + self.val else "train"

    @cached_property
    def classes(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """Sub-folders that hold all images, by name, below the splits where these are folders; None without them."""
        folders = {split: [_folder_of(name, self._named) for name in names] for split, names in self._names.items()}
        found = {folder for named in folders.values() for folder in named}
        return tuple(sorted(folder for folder in found if folder)) if found and None not in found else None

    def _load(self, split: str) -> Examples:
        names, classes = self._names[split], self.classes
        labels = None
        if classes is not None:
            labels = {name: classes.index(str(_folder_of(name, self._named))) for name in names}
        return open_files(
            self.root,
            names,
            self.decoder,
            skip_corrupt=self.skip_corrupt,
            memory_limit_gb=self.memory_limit_gb,
            labels=labels,
        )


def _folder_of(name: str, named: bool) -> str | None:
    """The folder right below the root, or below the split's folder; None for an image that lies there itself."""
    parts = name.split("/")[1:] if named else name.split("/")
    return parts[0] if len(parts) > 1 else None


def image_names(root: Path) -> list[str]:
    """List the relative POSIX paths of all images below a folder, sorted; hidden files and other types are ignored.

    Raises:
        DataError: the folder does not exist or has no image.
    """
    if not root.is_dir():
        raise DataError(f"path={root}: no such folder ({root.resolve()}); set data.path to a folder of images.")
    names = (p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS)
    found = sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))
    if not found:
        raise DataError(f"path={root}: no image in it or below; expected files ending in {', '.join(EXTENSIONS)}.")
    return found
