"""Files of reference statistics, which ganvas and other tools write: moments, or the features of each image.

The ending of the file's name says how it is read, and what is in it says whose format it is
(:mod:`ganvas.scoring.statistics_formats`). All are read as plain data. Moments are enough for Fréchet distances only.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.metrics.comparison import Statistics
from ganvas.metrics.frechet import Moments
from ganvas.scoring.statistics_format import Exported, Format, Held
from ganvas.scoring.statistics_formats import FORMATS, TENSOR
from ganvas.storage.atomic import write_atomically
from ganvas.storage.plain_pickle import read_plain_pickle

_UNREADABLE: Final = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    AttributeError,
    TypeError,
)
_ASYMMETRY: Final = 1e-6
"""Largest accepted asymmetry of a covariance, relative to its largest entry; allows for float32 rounding."""


def format_to_write(path: Path, name: str | None) -> Format:
    """Choose the format of a file to write.

    Args:
        path: path of the file.
        name: name of the format; None chooses by the file's name.

    Raises:
        ValueError: there is no such format, or its files have another ending.
    """
    named = {form.name: form for form in FORMATS}
    if name is not None and name not in named:
        raise ValueError(f"export_format={name} is unknown; write one of {', '.join(named)}")
    asked = FORMATS if name is None else (named[name],)
    endings = list(dict.fromkeys(form.suffix for form in asked))
    if path.suffix not in endings:
        raise ValueError(
            f"export_reference={path}: expected a file that ends with {' or '.join(endings)}; "
            f"write {path.stem}{endings[0]}"
        )
    fitting = [form for form in asked if name is not None or fnmatch(path.name, form.pattern)]
    return max(fitting, key=lambda form: len(form.pattern))


def save_statistics(path: Path, features: Features, *, preprocessing: str, images: str, form: Format) -> None:
    """Write statistics of a set of features.

    Args:
        path: ends as the format says; written atomically.
        features: features of at least 2 images.
        preprocessing: the extractor's description of its preprocessing.
        images: content fingerprint of the images.
        form: format of the file.

    Raises:
        ValueError: there are too few images, features are not finite, or the tool of this format has no such extractor
            or preprocesses images in another way.
    """
    known = form.preprocessing.get(features.extractor, preprocessing)
    if known != preprocessing:
        raise ValueError(
            f"export_format={form.name}: its tool preprocesses images as '{known}', got '{preprocessing}'; use the "
            "extractor that does so, or write a file that ends with .npz"
        )
    write_atomically(path, form.write(Exported(features, preprocessing, images)))


def load_statistics(path: Path, extractor: Extractor) -> Features | Statistics:
    """Read statistics that ganvas or another tool wrote.

    Args:
        path: path of the file.
        extractor: extractor of the generated images' features.

    Returns:
        Features if the file holds them, else moments; if the file does not name an extractor, it is assumed to be
        ``extractor``, with a warning.

    Raises:
        ValueError: the file is unreadable, has none of the formats, is of another extractor or preprocessing, or holds
            no valid features or moments.
    """
    held = _held(path, extractor)
    name, weights_hash = held.extractor or extractor.name, held.weights_hash or extractor.weights_hash
    if (name, weights_hash) != (extractor.name, extractor.weights_hash):
        raise ValueError(
            f"{path}: statistics of extractor '{name}' ({weights_hash[:8]}), but extractor={extractor.name} "
            f"({extractor.weights_hash[:8]}) was asked for; use the one the file was made with"
        )
    preprocessing = held.preprocessing or extractor.preprocessing
    if preprocessing != extractor.preprocessing:
        raise ValueError(
            f"{path}: statistics of images preprocessed as '{preprocessing}', but extractor={extractor.name} does "
            f"'{extractor.preprocessing}'; use the extractor that the file was made with, and its "
            "extractor.resizer, or make the file again"
        )
    if held.features is not None:
        return Features(_features(path, held.features, extractor.num_features), None, name, weights_hash)
    return Statistics(_moments(path, held.mu, held.sigma, extractor.num_features), held.n, name, weights_hash)


def holds_statistics(path: Path) -> bool:
    """Tell whether a file holds statistics, from its ending or, in an ``.npz`` file, from the names of its arrays."""
    if path.suffix != ".npz":
        return path.suffix in SUFFIXES
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        keys = {name.removesuffix(".npy") for name in archive.namelist()}
    return any(form.suffix == ".npz" and form.holds(keys) for form in FORMATS)


def _held(path: Path, extractor: Extractor) -> Held:
    """Read a file as plain data, and take out what its format holds; warn of an extractor that it does not name."""
    try:
        found = _READERS[path.suffix](path)
    except _UNREADABLE as error:
        raise ValueError(f"{path}: cannot be read as {path.suffix} of reference statistics ({error})") from error
    form = next((form for form in FORMATS if form.suffix == path.suffix and form.holds(found.keys())), None)
    if form is None:
        raise ValueError(f"{path}: expected arrays mu and sigma, got {sorted(found)[:9]}; is it a file of images?")
    try:
        held = form.read(found, extractor.name)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as statistics of the format {form.name} ({error})") from error
    if held.weights_hash is None:
        said = "" if held.preprocessing else f", and its preprocessing '{extractor.preprocessing}'"
        warnings.warn(
            f"{path.name} does not say which extractor it is of: '{extractor.name}' "
            f"({extractor.weights_hash[:8]}) is assumed{said}",
            stacklevel=3,
        )
    return held


def _features(path: Path, values: Any, d: int) -> torch.Tensor:
    """Check features: size, finite values."""
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != d:
        raise ValueError(
            f"{path}: expected features (n, {d}) of this extractor, got {getattr(values, 'shape', None)}; "
            "use the extractor that the file was made with"
        )
    checked = torch.from_numpy(values.astype(np.float32))
    if not checked.isfinite().all():
        raise ValueError(f"{path}: expected finite features; make the file again")
    return checked


def _moments(path: Path, mu: Any, sigma: Any, d: int) -> Moments:
    """Check the moments: size, finite values, symmetry, no negative variances."""
    shapes = [getattr(x, "shape", None) for x in (mu, sigma)]
    if shapes != [(d,), (d, d)]:
        raise ValueError(
            f"{path}: expected mu ({d},) and sigma ({d}, {d}) of this extractor, got {shapes[0]} and {shapes[1]}; "
            "use the extractor that the file was made with"
        )
    mean, covariance = (torch.from_numpy(x.astype(np.float64)) for x in (mu, sigma))
    if not (mean.isfinite().all() and covariance.isfinite().all() and (covariance.diagonal() >= 0).all()):
        raise ValueError(f"{path}: expected finite moments and variances of 0 or more; make the file again")
    if (covariance - covariance.T).abs().max() > _ASYMMETRY * covariance.abs().max():
        raise ValueError(f"{path}: expected a symmetric sigma; make the file again")
    return Moments(mean, covariance)


def _read_npz(path: Path) -> Mapping[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_torch(path: Path) -> Mapping[str, Any]:
    """Read a file of ``torch.save``: one tensor, or a dict of NumPy's arrays, which stand in the pickle itself."""
    with zipfile.ZipFile(path) as archive:
        names = {name.split("/", 1)[-1]: name for name in archive.namelist()}
        if "data/0" in names:
            return {TENSOR: torch.load(path, map_location="cpu", weights_only=True).numpy()}
        return dict(read_plain_pickle(archive.read(names["data.pkl"])))


def _read_pickle(path: Path) -> Mapping[str, Any]:
    return dict(read_plain_pickle(path.read_bytes()))


_READERS: Final[Mapping[str, Callable[[Path], Mapping[str, Any]]]] = {
    ".npz": _read_npz,
    ".pt": _read_torch,
    ".pkl": _read_pickle,
}
SUFFIXES: Final = tuple(_READERS)
"""Endings of the names of files of statistics."""
