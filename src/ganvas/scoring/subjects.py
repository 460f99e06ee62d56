"""What is scored: a model, or images that somebody made."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import final

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganvas.config import ConfigError, build
from ganvas.data.datamodule import DataModule
from ganvas.data.source import Examples, TensorExamples
from ganvas.data.sources.npz import read_images
from ganvas.data.sources.unchanged import read_folder
from ganvas.models import Model
from ganvas.storage.checkpoints import LAST, read
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.types import Shape, to_uint8

ARRAYS = (".npz", ".npy")
_RUN_ID = re.compile(r"[0-9a-f]{32}")


class Subject(ABC):
    """Whatever examples can be drawn from.

    Attributes:
        name: as it was written on the command line.
        shape: of one example.
        weights: ``raw`` or ``ema`` of a model, ``images`` of files.
    """

    name: str
    shape: Shape
    weights: str

    @abstractmethod
    def count(self, n: int) -> int:
        """How many examples are scored where ``n`` are asked for."""

    @abstractmethod
    def batches(self, n: int, seed: int, batch_size: int) -> Iterator[Tensor]:
        """``count(n)`` examples at rest: ``uint8`` images, or ``float32`` points."""

    def draw(self, n: int, seed: int, batch_size: int) -> Tensor:
        """The batches as one tensor."""
        return torch.cat(list(self.batches(n, seed, batch_size)))


@final
class ModelSubject(Subject):
    """A trained model with what it was trained on.

    Args:
        name: run id or path.
        model: on the device where it is evaluated.
        data: that it was trained on.
        images_seen: by the model.
        config: that it was trained by; None where nobody asks for it.
        run_id: of its run in MLflow, or None.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        data: DataModule,
        images_seen: int,
        config: DictConfig | None = None,
        run_id: str | None = None,
    ) -> None:
        self.name, self.model, self.data = name, model, data
        self.images_seen, self.config, self.run_id = images_seen, config, run_id
        self.shape, self.weights = tuple(model.shape), model.weights

    def count(self, n: int) -> int:
        """As many as are asked for."""
        return n

    def batches(self, n: int, seed: int, batch_size: int) -> Iterator[Tensor]:
        """See :meth:`Subject.batches`."""
        drawn = self.model.sample(n, seed).cpu()
        yield from (to_uint8(drawn) if len(self.shape) == 3 else drawn).split(batch_size)


@final
class ImagesSubject(Subject):
    """Images from a folder or an array.

    Args:
        name: path.
        examples: the images.
    """

    def __init__(self, name: str, examples: Examples) -> None:
        self.name, self.examples = name, examples
        self.shape, self.weights = tuple(examples.shape), "images"

    def count(self, n: int) -> int:
        """All there are, whatever is asked for."""
        return len(self.examples)

    def batches(self, n: int, seed: int, batch_size: int) -> Iterator[Tensor]:
        """See :meth:`Subject.batches`."""
        yield from (self.examples.batch(index) for index in torch.arange(len(self.examples)).split(batch_size))


def device_of(name: str | None) -> torch.device:
    """Where a model is to be evaluated.

    Args:
        name: as torch has it; None takes a GPU where there is one.
    """
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def open_subject(source: str | None, device: torch.device) -> Subject:
    """Find what ``source`` names.

    Args:
        source: run id, checkpoint, folder with a checkpoint, folder of images, or array file.
        device: where a model is to be evaluated.

    Raises:
        ConfigError: nothing is named.
        DataError: images that cannot be read.
    """
    if source is None:
        raise ConfigError("no SOURCE; give a run id, a checkpoint, a folder or .npz of images")
    path = Path(source)
    if path.suffix in ARRAYS:
        return ImagesSubject(source, TensorExamples(torch.from_numpy(read_images(path))))
    if path.is_dir() and not (path / LAST).exists():
        return ImagesSubject(source, read_folder(path))
    return open_model(source, device)


def open_model(source: str, device: torch.device) -> ModelSubject:
    """Build the model that a checkpoint holds, with its data.

    Args:
        source: run id, checkpoint, or folder with a checkpoint.
        device: where the model is to be evaluated.

    Raises:
        CheckpointError: no checkpoint of ganvas.
        ConfigError: a checkpoint without a config.
    """
    checkpoint = read(checkpoint_path(source))
    if "config" not in checkpoint:
        raise ConfigError(f"{source}: the checkpoint holds no config, so its model cannot be built; train it again")
    config = OmegaConf.create(checkpoint["config"])
    assert isinstance(config, DictConfig)
    model: Model = build(config.model)
    model.load_state_dict(checkpoint["state_dict"])
    data = DataModule(build(config.data), build(config.transform), config.batch_size, config.seed, 0)
    run_id = source if _RUN_ID.fullmatch(source) and not Path(source).exists() else None
    return ModelSubject(source, model.to(device), data, checkpoint["images_seen"], config, run_id)
