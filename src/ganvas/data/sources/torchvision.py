"""Data sets that torchvision downloads, with its progress bar and checksums, and reads.

The test split is the official one. Validation examples are held out of the official training split, stratified by
class; the choice depends on the data set alone, not on the run.
"""

from __future__ import annotations

import pickle
from abc import abstractmethod
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar, final
from zipfile import BadZipFile

import torch
from torch import Tensor

from ganvas.data.hold_out import hold_out
from ganvas.data.source import DataError, Examples, Source, TensorExamples, require_shape

T = TypeVar("T")


def obtain(name: str, root: str, read: Callable[[bool], T]) -> T:
    """Read a data set, and download it first if it is missing.

    Args:
        name: name of the data set, for the error message.
        root: folder of the files, for the error message.
        read: opens the data set; its argument is whether to download it first.

    Raises:
        DataError: the files cannot be read, or are missing and cannot be downloaded.
    """
    try:
        return read(False)
    except RuntimeError as missing:
        if "not found" not in str(missing):
            raise _unreadable(name, root, missing) from missing
    except (OSError, AssertionError, EOFError, ValueError, TypeError, pickle.UnpicklingError) as corrupt:
        raise _unreadable(name, root, corrupt) from corrupt
    try:
        return read(True)
    except (OSError, RuntimeError, ImportError, ValueError, HTTPException, BadZipFile) as failed:
        raise DataError(
            f"{name}: not found in {Path(root).resolve()}, and the download failed: {' '.join(str(failed).split())} "
            "Connect to the internet and run again, or set paths.data to the folder that holds the files."
        ) from failed


def _unreadable(name: str, root: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: the files in {Path(root).resolve()} cannot be read ({type(error).__name__}: {error}). "
        "Delete them and run again to download them anew."
    )


class TorchvisionSource(Source):
    """A labelled image set that torchvision reads into memory.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(c, h, w)``, which must be the data set's own.
        root: folder of the files; they are downloaded if they are missing.
        val: number of images held out of the official training split; 0 for no validation split.

    Raises:
        DataError: another shape, or a negative ``val``.
    """

    own_shape: tuple[int, int, int]

    def __init__(self, name: str, shape: Sequence[int], root: str, val: int) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, self.own_shape)
        if val < 0:
            raise DataError(f"val={val}: must be 0 (no validation split) or the number of images held out.")
        self.root, self.val = root, val
        self.place = Path(root).absolute()

    @abstractmethod
    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        """Images ``uint8 (n, c, h, w)`` and labels of an official split."""

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return ("train", "val", "test") if self.val else ("train", "test")

    def _load(self, split: str) -> Examples:
        images, labels = obtain(self.name, self.root, lambda download: self._read(split != "test", download))
        if split == "test":
            return TensorExamples(images, labels)
        kept, held = hold_out(len(images), self.val, labels, argument="val")
        index = held if split == "val" else kept
        return TensorExamples(images[index], labels[index])


def _grey(dataset: Any) -> tuple[Tensor, Tensor]:
    """Images and labels of a torchvision set in the MNIST format."""
    return dataset.data.unsqueeze(1), dataset.targets


@final
class Mnist(TorchvisionSource):
    """MNIST digits, 60,000 and 10,000 of 28x28.

    Reference: LeCun et al. 1998, http://yann.lecun.com/exdb/mnist/
    """

    own_shape = (1, 28, 28)
    classes = tuple("0123456789")

    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import MNIST

        return _grey(MNIST(self.root, train=train, download=download))


@final
class FashionMnist(TorchvisionSource):
    """Fashion-MNIST, 60,000 and 10,000 of 28x28.

    Reference: Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747
    """

    own_shape = (1, 28, 28)
    classes = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import FashionMNIST

        return _grey(FashionMNIST(self.root, train=train, download=download))


@final
class Kmnist(TorchvisionSource):
    """Kuzushiji-MNIST, 60,000 and 10,000 of 28x28.

    Reference: Clanuwat et al. 2018, https://arxiv.org/abs/1812.01718
    """

    own_shape = (1, 28, 28)
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import KMNIST

        return _grey(KMNIST(self.root, train=train, download=download))


@final
class Cifar10(TorchvisionSource):
    """CIFAR-10, 50,000 and 10,000 of 3x32x32.

    Reference: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html
    """

    own_shape = (3, 32, 32)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import CIFAR10

        dataset = CIFAR10(self.root, train=train, download=download)
        return torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(dataset.targets)


@final
class Svhn(TorchvisionSource):
    """Street View House Numbers, cropped digits, 73,257 and 26,032 of 3x32x32 (the `extra` set is not used).

    Reference: Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/
    """

    own_shape = (3, 32, 32)
    classes = tuple("0123456789")

    def _read(self, train: bool, download: bool) -> tuple[Tensor, Tensor]:
        from torchvision.datasets import SVHN

        dataset = SVHN(self.root, split="train" if train else "test", download=download)
        return torch.from_numpy(dataset.data).contiguous(), torch.from_numpy(dataset.labels)
