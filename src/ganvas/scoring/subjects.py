"""Subjects of scoring: a trained model, or images from files."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Int64
from omegaconf import DictConfig
from torch import Tensor

from ganvas.config import ConfigError, build_as, from_its_folder, recorded_config
from ganvas.data.datamodule import DataModule
from ganvas.data.source import Examples, Source
from ganvas.data.sources.mapped import open_images
from ganvas.data.sources.scored import Fit, array_of, read_folder
from ganvas.data.transforms import Transform
from ganvas.display import counted
from ganvas.extractors.images import Images, Selected, regrouped
from ganvas.models import Model, Sampling
from ganvas.models.sampling import PLAIN, SAMPLE_BATCH
from ganvas.scoring.averages import load_average
from ganvas.scoring.classes import Classed, classes_of_files
from ganvas.storage.checkpoints import LAST, load_weights, read_origin
from ganvas.storage.exported import is_exported, read_model
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.types import DrawsLatents, Shape, to_uint8

ARRAYS = (".npz", ".npy")
OpenData = Callable[[DictConfig], DataModule]
_RUN_ID = re.compile(r"[0-9a-f]{32}")


class Subject(ABC):
    """Abstract: a source of examples to score.

    Attributes:
        name: name on the command line.
        shape: shape of one example.
        weights: ``raw`` or ``ema`` for a model, ``images`` for files.
        sampling: options of sampling from a model.
    """

    name: str
    shape: Shape
    weights: str
    sampling: Sampling = PLAIN

    @abstractmethod
    def count(self, n: int) -> int:
        """Number of examples that are scored if ``n`` are requested."""

    @abstractmethod
    def classed(self, n: int, seed: int) -> Classed | None:
        """Return the class that each example of :meth:`batches` was asked for; None without classes."""

    @abstractmethod
    def images(self, n: int, seed: int) -> Images:
        """Return what gives these examples, or some of them, in batches; it can be sent to another process."""

    def batches(self, n: int, seed: int, batch_size: int) -> Iterator[Tensor]:
        """Yield ``count(n)`` examples in batches: ``uint8`` images, or ``float32`` points."""
        return self.images(n, seed).batches(0, self.count(n), batch_size)

    def draw(self, n: int, seed: int, batch_size: int) -> Tensor:
        """Concatenate the batches of :meth:`batches`."""
        return torch.cat(list(counted("samples drawn", self.batches(n, seed, batch_size), self.count(n))))

    def some(self, index: Int64[Tensor, " m"], n: int, seed: int, batch_size: int) -> Tensor:
        """Select some of the examples of :meth:`batches`, at most one batch of all of them in memory at a time.

        Args:
            index: positions of the examples.
            n: see :meth:`batches`.
            seed: see :meth:`batches`.
            batch_size: see :meth:`batches`.
        """
        found, start, order = [], 0, index.argsort()
        for batch in self.batches(n, seed, batch_size):
            here = index[order] - start
            found.append(batch[here[(here >= 0) & (here < len(batch))]])
            start += len(batch)
        return torch.cat(found)[order.argsort()]


@final
@dataclass(frozen=True, eq=False)
class _Sampled(Images):
    """Examples that a model draws."""

    model: Model
    n: int
    seed: int
    sampling: Sampling

    together = SAMPLE_BATCH

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Shape of one example."""
        return tuple(self.model.shape)

    def __len__(self) -> int:
        return self.n

    def batches(self, start: int, stop: int, size: int) -> Iterator[Tensor]:
        """See :meth:`~ganvas.extractors.images.Images.batches`."""
        chunks = (x.cpu() for x in self.model.sampled(self.n, self.seed, start, stop, self.sampling))
        return regrouped((to_uint8(x) if x.ndim == 4 else x for x in chunks), size)


@final
class ModelSubject(Subject):
    """A trained model with its training data.

    Args:
        name: run id or path.
        model: the model, on the device of the evaluation.
        data: opens the data that the model was trained on; called once, when they are needed.
        images_seen: number of training images seen by the model.
        config: the config of the training; None if it is not needed.
        run_id: id of the MLflow run, or None.
        origin: where the checkpoint comes from, see :func:`~ganvas.storage.checkpoints.read_origin`.
        sampling: options by which examples are drawn.

    Raises:
        ConfigError: an option that does not act on this model.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        data: Callable[[], DataModule],
        images_seen: int,
        config: DictConfig | None = None,
        run_id: str | None = None,
        origin: Mapping[str, Any] | None = None,
        sampling: Sampling = PLAIN,
    ) -> None:
        try:
            model.require(sampling)
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from error
        self.sampling = sampling
        self.name, self.model, self._open, self.origin = name, model, data, origin or {}
        self.images_seen, self.config, self.run_id = images_seen, config, run_id
        self.shape, self.weights = tuple(model.shape), model.weights if sampling.ema is None else "ema"

    @cached_property
    def data(self) -> DataModule:
        """The data that the model was trained on.

        Raises:
            DataError: they are not where they were.
        """
        return self._open()

    def sample(self, n: int, seed: int, y: Tensor | None = None) -> Tensor:
        """Draw ``n`` examples by the options, on the CPU, see :meth:`ganvas.models.sampling.Samples.sample`."""
        return self.model.sample(n, seed, y, self.sampling).cpu()

    def decoded(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Decode latents by the options, on the CPU, see :meth:`ganvas.models.sampling.Samples.decoded`."""
        return self.model.decoded(z, y, self.sampling).cpu()

    @property
    def classes(self) -> int | None:
        """Number of classes; None if the model is not conditional."""
        return self.model.classes

    @property
    def prior(self) -> DrawsLatents:
        """The distribution that latents are drawn from by the options."""
        return self.model.prior_of(self.sampling)

    def count(self, n: int) -> int:
        """Return ``n``."""
        return n

    def images(self, n: int, seed: int) -> Images:
        """See :meth:`Subject.images`."""
        return _Sampled(self.model, n, seed, self.sampling)

    def classed(self, n: int, seed: int) -> Classed | None:
        """See :meth:`Subject.classed`."""
        labels = self.model.draw_labels(n, seed)
        return None if labels is None else Classed(labels, total=self.model.classes)


@final
class ImagesSubject(Subject):
    """Images from a folder or an array file; ``name`` is its path."""

    def __init__(self, name: str, examples: Examples) -> None:
        self.name, self.examples = name, examples
        self.shape, self.weights = tuple(examples.shape), "images"

    def count(self, n: int) -> int:
        """Return the number of all images, whatever ``n`` is."""
        return len(self.examples)

    def images(self, n: int, seed: int) -> Images:
        """See :meth:`Subject.images`."""
        return Selected(self.examples, torch.arange(len(self.examples)))

    def classed(self, n: int, seed: int) -> Classed | None:
        """See :meth:`Subject.classed`."""
        return classes_of_files(self.name, len(self.examples))


def device_of(name: str | None) -> torch.device:
    """Device of the evaluation.

    Args:
        name: torch device, for example ``cuda:0``; None takes a GPU if there is one, else the CPU.

    Raises:
        ConfigError: torch knows no such device.
    """
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ConfigError(f"device={name}: {error}; write cpu, cuda or cuda:1") from error


def sampling_of(cfg: DictConfig) -> Sampling:
    """Read the options of sampling from the config of a command.

    Args:
        cfg: it has ``ema``, ``standing`` and ``truncation``.

    Raises:
        ConfigError: a value out of range.
    """
    try:
        return Sampling(cfg.ema, cfg.standing, cfg.truncation)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def open_subject(
    source: str | None,
    device: torch.device,
    trust: Iterable[str] = (),
    fit: Fit | None = None,
    sampling: Sampling = PLAIN,
    data: OpenData | None = None,
) -> Subject:
    """Open the model or the images that ``source`` names.

    Args:
        source: run id, checkpoint, folder with a checkpoint, exported folder, folder of images or of
            ``ganvas sample``, or array file.
        device: device on which a model is evaluated.
        trust: see :func:`open_model`.
        fit: size to which the images of a folder are brought; None leaves them as they are.
        sampling: options by which examples of a model are drawn.
        data: see :func:`open_model`.

    Raises:
        ConfigError: ``source`` is None, or an option does not act on it.
        DataError: images cannot be read.
    """
    if source is None:
        raise ConfigError("no SOURCE; give a run id, a checkpoint, a folder or .npz of images")
    source = array_of(source)
    path = Path(source)
    is_array = path.suffix in ARRAYS
    if not is_array and not (path.is_dir() and not (path / LAST).exists() and not is_exported(path)):
        return open_model(source, device, trust, sampling, data)
    if given := sampling.given():
        name, value = next(iter(given.items()))
        raise ConfigError(f"{name}={value}: {source} holds images, expected a model to draw from; leave {name} out")
    if is_array:
        return ImagesSubject(source, open_images(path))
    return ImagesSubject(source, read_folder(path, fit))


def open_model(
    source: str,
    device: torch.device,
    trust: Iterable[str] = (),
    sampling: Sampling = PLAIN,
    data: OpenData | None = None,
) -> ModelSubject:
    """Build the model of a checkpoint or of an exported folder; its data are opened when they are first asked for.

    Args:
        source: run id, checkpoint, folder with a checkpoint, or exported folder.
        device: device on which the model is evaluated.
        trust: packages whose parts the checkpoint may name besides those of ganvas; see
            :func:`~ganvas.config.recorded_config`.
        sampling: options by which examples are drawn.
        data: opens the training data of a config, or returns those that another model has opened; None opens them.

    Raises:
        CheckpointError: there is no checkpoint of ganvas, or its weights do not fit.
        ConfigError: the checkpoint holds no config, or one that names something that is not trusted.
    """
    checkpoint = read_model(checkpoint_path(source))
    config = recorded_config(checkpoint.get("config"), source, trust)
    origin = read_origin(checkpoint)
    config = from_its_folder(config, origin["folder"])
    model = build_as(Model, config.model)
    load_weights(model, checkpoint, source)
    if sampling.ema is not None:
        load_average({name: model.part(name) for name in model.averaged}, checkpoint, source, sampling.ema)
    run_id = source if _RUN_ID.fullmatch(source) and not Path(source).exists() else None
    seen = checkpoint["images_seen"]
    opens = partial(data or open_data, config)
    return ModelSubject(source, model.to(device), opens, seen, config, run_id, origin, sampling)


def open_data(config: DictConfig) -> DataModule:
    """Open the data that a model was trained on; nothing is read yet.

    Args:
        config: config of the training.
    """
    return DataModule(
        build_as(Source, config.data), build_as(Transform, config.transform), config.batch_size, config.seed, 0
    )
