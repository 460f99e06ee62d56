r"""Reference features by content: what was extracted once is not extracted again, and a name can never mislead.

.. math:: \text{key} = \mathrm{SHA256}(\text{images}, \text{extractor}, \text{weights}, \text{preprocessing}, n,
    \text{split}, \text{code})

A file holds features, logits and a checksum of both, as safetensors: reading one runs no code. It is written whole or
not at all, and verified whenever it is read: a damaged one is recomputed with a warning. Processes share the folder;
one that wants what another is computing waits for it.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final, final

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganvas.metrics.atomic import write_atomically
from ganvas.metrics.extractor import Extractor
from ganvas.metrics.features import Features

_STATED: Final = "ganvas"
"""One entry of the file's metadata: safetensors writes several in no fixed order, and equal content is equal bytes."""
_DAMAGED: Final = (SafetensorError, OSError, KeyError, ValueError, TypeError)


@cache
def code_version() -> str:
    """SHA-256 of the code that turns images into features: ganvas' extractors, and torch-fidelity's version."""
    digest = hashlib.sha256(version("torch-fidelity").encode())
    sources = [x for x in files("ganvas.metrics").iterdir() if x.name in _CODE or x.name.endswith("extractor.py")]
    for source in sorted(sources, key=lambda x: x.name):
        digest.update(source.read_bytes())
    return digest.hexdigest()


_CODE: Final = ("features.py", "mnist_cnn.py", "modules.py", "resize.py")


@dataclass(frozen=True)
class CacheKey:
    """All that features depend on.

    Args:
        images: content fingerprint of the images, 64 hexadecimal digits.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
        preprocessing: its own words.
        n: number of images.
        split: which part of the data set.
        code: :func:`code_version`.
    """

    images: str
    extractor: str
    weights_hash: str
    preprocessing: str
    n: int
    split: str
    code: str

    @staticmethod
    def of(extractor: Extractor, *, images: str, n: int, split: str) -> CacheKey:
        """The key of what ``extractor`` would say about some images under the present code.

        Args:
            extractor: who extracts.
            images: content fingerprint of the images.
            n: number of images.
            split: which part of the data set.

        Returns:
            The key.
        """
        e = extractor
        return CacheKey(images, e.name, e.weights_hash, e.preprocessing, n, split, code_version())

    def digest(self) -> str:
        """SHA-256 of the fields as canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@final
class FeatureCache:
    """A folder of features, shared by processes.

    Args:
        folder: made when the first file is written; may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def features(self, key: CacheKey, compute: Callable[[], Features]) -> Features:
        """The features under a key, from the folder or computed and kept there.

        Args:
            key: what they are of.
            compute: called where the folder has none, or a damaged file.

        Returns:
            The same bits, from wherever they come.

        Raises:
            ValueError: ``compute`` returns another number of images or another extractor's features than the key says.
        """
        path = self.folder / f"{key.digest()}.safetensors"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            kept = _read(path, key) if path.exists() else None
            return kept or _write(path, key, compute())


def _read(path: Path, key: CacheKey) -> Features | None:
    """Verified features, or None with a warning where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stated = json.loads(file.metadata()[_STATED])
        shape = stated["shape"]
        found = Features(
            tensors["values"], tensors.get("logits"), key.extractor, key.weights_hash, shape and tuple(shape)
        )
        if stated["sha256"] != _checksum(tensors, json.dumps(shape)) or found.n != key.n:
            raise ValueError("its content is not what its checksum says")
    except _DAMAGED as error:
        warnings.warn(f"cache file {path.name} is damaged ({error}); computing its features again", stacklevel=3)
        return None
    return found


def _write(path: Path, key: CacheKey, found: Features) -> Features:
    """Keep features that are the key's."""
    if (found.n, found.extractor, found.weights_hash) != (key.n, key.extractor, key.weights_hash):
        raise ValueError(
            f"key: of {key.n} images by '{key.extractor}' ({key.weights_hash[:8]}), got features of {found.n} by "
            f"'{found.extractor}' ({found.weights_hash[:8]}); make the key with CacheKey.of from what is extracted"
        )
    tensors = {"values": found.values.contiguous()}
    if found.logits is not None:
        tensors["logits"] = found.logits.contiguous()
    stated = {"shape": found.shape, "sha256": _checksum(tensors, json.dumps(found.shape))}
    write_atomically(path, save(tensors, {_STATED: json.dumps(stated)}))
    return found


def _checksum(tensors: dict[str, Tensor], shape: str) -> str:
    """SHA-256 of names, types, sizes and bytes."""
    digest = hashlib.sha256(shape.encode())
    for name, x in sorted(tensors.items()):
        digest.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        digest.update(x.view(torch.uint8).numpy().data)
    return digest.hexdigest()
