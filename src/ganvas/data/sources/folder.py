r"""Folders of images, with all their sub-folders.

Files are ordered by their path relative to the root, so that neither the file system's order nor the place of the
folder matters. If there is a sub-folder named ``train``, ``val`` or ``test``, these sub-folders are the splits. Else a
hash of its relative path puts a file into a split,

.. math:: u = \mathrm{SHA256}(\text{path}) / 2^{256}: \quad
    u < f_{test} \mapsto \text{test}, \quad u < f_{test} + f_{val} \mapsto \text{val}, \quad \text{else train},

so that adding or removing a file moves no other file to another split.

The folders directly below the root (or below the folder of a split) are the classes, sorted by name, if every image
lies in one and all images lie equally deep. Otherwise there are no classes: if an image lies beside such folders, or in
a folder of its own inside one. Classes change neither the order nor the splits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import final

from ganvas.data.source import SPLITS, DataError, Examples, Source, require_shape
from ganvas.data.sources.decoding import EXTENSIONS, RESIZE, Decoder, sides
from ganvas.data.sources.files import open_files


@final
class ImageFolder(Source):
    """A tree of png, jpg, bmp, webp, tif or gif images of any size and mode (see :mod:`ganvas.data.sources.decoding`).

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: channels, height and width.
        path: root of the tree.
        size: side of square images, or height and width, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: ``center_crop`` (keep proportions and cut the ends of the side that is too long) or ``stretch`` (resize
            both sides), both with an antialiased Lanczos filter.
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
        size: int | Sequence[int],
        channels: int,
        resize: str,
        val: float,
        test: float,
        skip_corrupt: bool,
        memory_limit_gb: float,
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (channels, *sides(size)))
        if resize not in RESIZE:
            raise DataError(f"resize={resize!r}: must be one of {', '.join(RESIZE)}.")
        if val < 0 or test < 0 or val + test >= 1:
            raise DataError(f"val={val}, test={test}: must be fractions of at least 0 whose sum is below 1.")
        self.root, self.val, self.test = Path(path), val, test
        self.place = self.root.absolute()
        self.decoder = Decoder(channels=channels, size=size, resize=RESIZE[resize])
        self.skip_corrupt, self.memory_limit_gb = skip_corrupt, memory_limit_gb

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`; reads the tree."""
        return tuple(split for split in SPLITS if self._names[split])

    @cached_property
    def _all(self) -> list[str]:
        """Relative paths of all images, in order."""
        return image_names(self.root)

    @property
    def _named(self) -> bool:
        """Whether sub-folders are the splits."""
        return any(name.startswith(f"{split}/") for name in self._all for split in SPLITS)

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Relative paths of each split, in order."""
        named = self._named
        members: dict[str, list[str]] = {split: [] for split in SPLITS}
        for name in self._all:
            split = name.split("/")[0] if named else self._drawn(name)
            if split not in members:
                raise DataError(
                    f"{self.root / name}: lies beside the sub-folders train, val and test, in no split; "
                    "move it into one of them."
                )
            members[split].append(name)
        return members

    @cached_property
    def classes(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """Names of the sub-folders that are the classes; None if they are none. Reads the tree."""
        return class_names(self._folders.values())

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        """Folders between the root, or the folder of the split, and each image, outermost first."""
        skipped = int(self._named)
        return {name: name.split("/")[skipped:-1] for name in self._all}

    def _drawn(self, name: str) -> str:
        u = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") / 2**256
        return "test" if u < self.test else "val" if u < self.test + self.val else "train"

    def remarks(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`; counts the images that were changed."""
        said = {"resized": "resized", "alpha": "with an alpha channel, laid over white"}
        return tuple(f"{len(files):,} {said[what]}" for what, files in sorted(self.decoder.changed.items()))

    def _load(self, split: str) -> Examples:
        names = self._names[split]
        return open_files(
            self.root,
            names,
            self.decoder,
            skip_corrupt=self.skip_corrupt,
            memory_limit_gb=self.memory_limit_gb,
            labels=self._labels(names),
        )

    def _labels(self, names: Sequence[str]) -> dict[str, int] | None:
        """Class of each file; None without classes."""
        if self.classes is None:
            return None
        number = {name: position for position, name in enumerate(self.classes)}
        return {name: number[self._folders[name][0]] for name in names}


def class_names(folders: Collection[Sequence[str]]) -> tuple[str, ...] | None:
    """Name the classes of a tree of images, sorted; None if its folders are no classes.

    Args:
        folders: for each image the folders between the root and the image, outermost first.
    """
    depths = {len(below) for below in folders}
    return tuple(sorted({below[0] for below in folders})) if len(depths) == 1 and min(depths) else None


def _files(folder: Path, prefix: str, above: frozenset[Path]) -> Iterator[str]:
    """Yield the relative paths of all files that are not hidden; a link to a folder above itself is not entered."""
    here = folder.resolve()
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _files(folder / entry.name, f"{name}/", above | {here})
            else:
                yield name


def image_names(root: Path) -> list[str]:
    """List the relative POSIX paths of all images below a folder, sorted; hidden files and other types are ignored.

    Links are followed, to files and to folders.

    Raises:
        DataError: the folder does not exist or has no image.
    """
    if not root.is_dir():
        fault = "is a file, expected a folder" if root.exists() else "is missing: no such folder"
        raise DataError(f"path={root}: {fault} ({root.absolute()}); set data.path to a folder of images.")
    found = sorted(name for name in _files(root, "", frozenset()) if Path(name).suffix.lower() in EXTENSIONS)
    if not found:
        raise DataError(f"path={root}: no image in it or below; expected files ending in {', '.join(EXTENSIONS)}.")
    return found
