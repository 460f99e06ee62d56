"""References, against which images are scored: a data set by name, images, or a file of statistics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import final

from omegaconf import DictConfig, ListConfig, OmegaConf

from ganvas.config import ConfigError, build_as, choices, closest, compose
from ganvas.data.source import Examples, Source, require_file
from ganvas.data.sources.mapped import open_images
from ganvas.data.sources.npz import npz_shape
from ganvas.data.sources.scored import Fit, array_of, read_folder
from ganvas.extractors.features import Remembers
from ganvas.scoring.classes import Classed, classes_of_files
from ganvas.scoring.statistics_file import SUFFIXES, holds_statistics
from ganvas.scoring.subjects import ARRAYS, ModelSubject, Subject

OmegaConf.register_new_resolver("npz_shape", lambda path: ListConfig(npz_shape(path)), replace=True)
NEED_PATH = frozenset({"dsprites", "folder", "npz", "shapes3d"})
"""Data sets that need ``data.path``."""


@final
class Reference(Remembers):
    """The data that a subject is compared with.

    Args:
        name: name as in ``data=``, or a path.
        split: the split that the subject is compared with.
        source: the data set with all its splits; None if the reference is one set of images, or statistics.
        images: the images, if there is no source.
        statistics: the file of statistics, if there are no images.
        config: config of the data set, with its extractor.
        own: whether the subject was trained on this data set.
        load: function that reads a split; None reads it from the source.
    """

    def __init__(
        self,
        name: str,
        split: str,
        *,
        source: Source | None = None,
        images: Examples | None = None,
        statistics: Path | None = None,
        config: DictConfig | None = None,
        own: bool = False,
        load: Callable[[str], Examples] | None = None,
    ) -> None:
        self.name, self.split = name, split
        self.source, self.statistics, self.config = source, statistics, config
        self.own = own
        self._load = load if load is not None or source is None else source.load
        self._loaded = {} if images is None else {split: images}

    def has(self, split: str) -> bool:
        """Tell whether there are images of a split."""
        return split in self._loaded or (self.source is not None and split in self.source.splits)

    def examples(self, split: str, metric: str) -> Examples:
        """Return the images of a split, which are read once.

        Args:
            split: name of the split.
            metric: name of the metric that needs the images, for the message.

        Raises:
            ConfigError: there are no images of this split.
        """
        if not self.has(split):
            raise ConfigError(
                f"metrics: {metric} needs {split} images, which reference={self.name} lacks; "
                f"write reference=DATASET with a {split} split, such as mnist5k"
            )
        if split not in self._loaded:
            assert self._load is not None
            self._loaded[split] = self._load(split)
        return self._loaded[split]

    def classed(self, split: str, metric: str) -> Classed | None:
        """Return the classes of the images of a split; None without classes; see :meth:`examples`."""
        examples = self.examples(split, metric)
        if self.source is None:
            return classes_of_files(self.name, len(examples))
        names = self.source.classes
        total = None if names is None else len(names)
        return None if examples.labels is None else Classed(examples.labels, names, total)


def find_reference(cfg: DictConfig, subject: Subject | None, fit: Fit | None = None) -> Reference:
    """Open the reference that ``cfg.reference`` names; None takes the data that the model was trained on.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        subject: the scored model or images; None if the reference is only exported.
        fit: size to which the images of a folder are brought; None leaves them as they are.

    Raises:
        ConfigError: images are scored without a reference, or the reference does not exist.
        DataError: images cannot be read.
    """
    if cfg.reference in data_sets() or (cfg.reference in NEED_PATH and "path" in cfg.data):
        described = _described(cfg)
        return _of(build_as(Source, described.data), cfg.split, described)
    if cfg.reference in NEED_PATH:
        raise ConfigError(
            f"reference={cfg.reference} needs data.path=PATH; or write reference=PATH for images as they are"
        )
    if cfg.data:
        raise ConfigError(
            f"data.{next(iter(cfg.data))}: reference={cfg.reference} takes no data keys; they belong to a data set, "
            "as in reference=cifar10 data.root=DIR or reference=folder data.path=DIR"
        )
    if cfg.reference is None:
        if not isinstance(subject, ModelSubject):
            raise ConfigError(
                f"no reference for {'the images ' + subject.name if subject else 'the export'}; write "
                "reference=DATASET (such as mnist5k), reference=FOLDER or reference=FILE.npz"
            )
        return own_reference(subject, cfg.split)
    name = array_of(cfg.reference)
    path = Path(name)
    if path.is_dir():
        return Reference(cfg.reference, "all", images=read_folder(path, fit))
    if not path.exists():
        raise ConfigError(
            f"reference={cfg.reference} is missing: no data set has that name, and there is no file or folder "
            f"{path.absolute()}{closest(cfg.reference, data_sets())} Data sets are {', '.join(data_sets())}"
        )
    known = dict.fromkeys((*ARRAYS, *SUFFIXES))
    if path.suffix not in known:
        raise ConfigError(
            f"reference={cfg.reference}: expected a data set, a folder of images or a file that ends with "
            f"{' or '.join(known)}; write the images to an .npz by numpy.savez(path, images=array)"
        )
    require_file(path)
    if holds_statistics(path):
        return Reference(cfg.reference, "statistics", statistics=path)
    return Reference(name, "all", images=open_images(path))


def data_sets() -> list[str]:
    """Names of the data sets that need no further arguments."""
    return sorted(set(choices("data")) - NEED_PATH)


def _described(cfg: DictConfig) -> DictConfig:
    """Compose the config of ``ganvas train data=NAME``, with the data set's keys overridden by ``cfg.data``."""
    described = compose("train", [f"data={cfg.reference}", f"paths.data='{cfg.paths.data}'", "paths.output=''"])
    known = [str(key) for key in described.data if not str(key).startswith("_") and key != "name"]
    for key in map(str, cfg.data):
        if key not in known:
            raise ConfigError(
                f"data.{key}: {cfg.reference} has no such key{closest(key, known)} It has {', '.join(known)}"
            )
    described.data = OmegaConf.merge(described.data, cfg.data)
    return described


def own_reference(subject: ModelSubject, split: str | None = None) -> Reference:
    """Make a reference from the data that a model was trained on.

    Args:
        subject: the trained model.
        split: name of the split; None takes the split on which models are reported.
    """
    chosen = _chosen(subject.data.source, split)
    source, load = subject.data.source, subject.data.examples
    return Reference(source.name, chosen, source=source, config=subject.config, own=True, load=load)


def _of(source: Source, split: str | None, config: DictConfig) -> Reference:
    return Reference(source.name, _chosen(source, split), source=source, config=config)


def _chosen(source: Source, split: str | None) -> str:
    chosen = split or source.report_split
    if chosen not in source.splits:
        raise ConfigError(f"split={chosen}: {source.name} has the splits {', '.join(source.splits)}")
    return chosen
