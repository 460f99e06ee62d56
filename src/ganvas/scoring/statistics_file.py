"""Files of reference statistics: mean and covariance in pytorch-fid's layout, which other tools can read and write.

The file is a ``.npz`` with ``mu (d,)`` and ``sigma (d, d)`` in float64; ganvas adds ``n``, ``extractor``,
``weights_hash``, ``preprocessing`` and ``images`` (content fingerprint), which other tools ignore. Nothing in the
file is unpickled. Moments are enough for the Fréchet distances only.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.metrics.comparison import Statistics, moments_of
from ganvas.metrics.frechet import Moments
from ganvas.storage.atomic import write_atomically

_UNREADABLE: Final = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError)
_ASYMMETRY: Final = 1e-6
"""Largest accepted asymmetry of a covariance, relative to its largest entry; allows for float32 rounding."""


def save_statistics(path: Path, features: Features, *, preprocessing: str, images: str) -> None:
    """Write the moments of a set of features.

    Args:
        path: ends with ``.npz``; written atomically.
        features: features of at least 2 images.
        preprocessing: the extractor's description of its preprocessing.
        images: content fingerprint of the images.

    Raises:
        ValueError: the path has another suffix, there are too few images, or features are not finite.
    """
    if path.suffix != ".npz":
        raise ValueError(f"path: expected a file that ends with .npz, got {path.name}; write {path.stem}.npz")
    content = BytesIO()
    np.savez(
        content,
        mu=moments_of(features).mean.numpy(),
        sigma=moments_of(features).covariance.numpy(),
        n=np.array(features.n),
        extractor=np.array(features.extractor),
        weights_hash=np.array(features.weights_hash),
        preprocessing=np.array(preprocessing),
        images=np.array(images),
    )
    write_atomically(path, content.getvalue())


def load_statistics(path: Path, extractor: Extractor) -> Statistics:
    """Read moments written by ganvas, pytorch-fid or any tool with the same layout.

    Args:
        path: path of the file.
        extractor: extractor of the generated images' features.

    Returns:
        Statistics; if the file does not name an extractor, it is assumed to be ``extractor``, with a warning.

    Raises:
        ValueError: the file is unreadable, has another layout, is of another extractor, or holds no valid moments.
    """
    arrays = _arrays(path)
    moments = _moments(path, arrays["mu"], arrays["sigma"], extractor.num_features)
    if "weights_hash" not in arrays:
        warnings.warn(
            f"{path.name} does not say which extractor it is of: '{extractor.name}' "
            f"({extractor.weights_hash[:8]}) is assumed",
            stacklevel=2,
        )
    name = str(arrays.get("extractor", extractor.name))
    weights_hash = str(arrays.get("weights_hash", extractor.weights_hash))
    if (name, weights_hash) != (extractor.name, extractor.weights_hash):
        raise ValueError(
            f"{path}: statistics of extractor '{name}' ({weights_hash[:8]}), but extractor={extractor.name} "
            f"({extractor.weights_hash[:8]}) was asked for; use the one the file was made with"
        )
    preprocessing = str(arrays.get("preprocessing", extractor.preprocessing))
    if preprocessing != extractor.preprocessing:
        raise ValueError(
            f"{path}: statistics of images preprocessed as '{preprocessing}', but extractor={extractor.name} does "
            f"'{extractor.preprocessing}'; make the file again with this extractor"
        )
    return Statistics(moments, int(arrays["n"]) if "n" in arrays else None, name, weights_hash)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of the file without unpickling."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (*_UNREADABLE, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: cannot be read as .npz of reference statistics ({error})") from error
    if not {"mu", "sigma"} <= arrays.keys():
        raise ValueError(f"{path}: expected arrays mu and sigma, got {sorted(arrays)}; is it a file of images?")
    return arrays


def _moments(path: Path, mu: np.ndarray, sigma: np.ndarray, d: int) -> Moments:
    """Check the moments: size, finite values, symmetry, no negative variances."""
    if mu.shape != (d,) or sigma.shape != (d, d):
        raise ValueError(
            f"{path}: expected mu ({d},) and sigma ({d}, {d}) of this extractor, got {mu.shape} and {sigma.shape}; "
            "use the extractor that the file was made with"
        )
    mean, covariance = (torch.from_numpy(x.astype(np.float64)) for x in (mu, sigma))
    if not (mean.isfinite().all() and covariance.isfinite().all() and (covariance.diagonal() >= 0).all()):
        raise ValueError(f"{path}: expected finite moments and variances of 0 or more; make the file again")
    if (covariance - covariance.T).abs().max() > _ASYMMETRY * covariance.abs().max():
        raise ValueError(f"{path}: expected a symmetric sigma; make the file again")
    return Moments(mean, covariance)
