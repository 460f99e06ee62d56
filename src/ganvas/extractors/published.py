"""Published weights: downloaded once, verified by their SHA-256 at every use, and read as plain tensors.

For a file of the model hub, the hub's record states the SHA-256, and the download must have it. For other files no
checksum is published: the SHA-256 of the first download is trusted. In both cases it is printed, kept beside the file
(``NAME.sha256``), and verified at every later use.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ganvas.extractors.checksum import WeightsError
from ganvas.storage.atomic import write_atomically
from ganvas.storage.best_effort import complain

HUB: Final = "https://huggingface.co"
_CHUNK: Final = 2**20
_SECONDS: Final = 60


@final
@dataclass(frozen=True)
class Published:
    """A file of published weights.

    Args:
        url: where it is downloaded from.
        name: name of the downloaded file in torch's hub folder.
        record: address of the hub's list of files with their SHA-256; empty if no checksum is published.
    """

    url: str
    name: str
    record: str = ""

    @staticmethod
    def on_hub(repository: str, file: str) -> Published:
        """A file of the model hub, ``owner/name``."""
        name = f"{repository.replace('/', '--')}--{file}"
        return Published(f"{HUB}/{repository}/resolve/main/{file}", name, f"{HUB}/api/models/{repository}/tree/main")


def weights_file(published: Published, weights: str | None) -> Path:
    """Return the file of the weights: the user's own, or the published one, which is downloaded if it is missing.

    Args:
        published: what is downloaded if ``weights`` is None.
        weights: path of a local copy.

    Raises:
        ValueError: the local copy does not exist.
        WeightsError: the download failed, or the SHA-256 is another than that stated or seen first.
    """
    if weights is None:
        return downloaded(published)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"extractor.weights: expected a file, got {path}, which is not a file; null downloads the weights"
        )
    return path


def downloaded(published: Published) -> Path:
    """Return the downloaded file, verified by the SHA-256 that is kept beside it; see :func:`weights_file`."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / published.name
    note = path.with_name(f"{path.name}.sha256")
    known = path.exists() and note.exists()
    expected = note.read_text().strip() if known else _fetched(published, path)
    received = file_sha256(path)
    if expected and received != expected:
        if not known:
            path.unlink()  # else the next use would trust it
        raise WeightsError(
            f"weights {path}: expected SHA-256 {expected}, got {received}. Delete it and {note.name} beside it and "
            "try again, or give a local copy with extractor.weights=PATH"
        )
    if not known:
        write_atomically(note, f"{received}\n".encode())
        source = "as the hub states" if expected else "of the first download; its publisher states none"
        complain(f"weights {path.name}: SHA-256 {received} ({source}), kept in {note}")
    return path


def _fetched(published: Published, path: Path) -> str:
    """Download the file if it is missing, and return the SHA-256 that the hub states, or an empty text."""
    try:
        stated = _stated(published) if published.record else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            torch.hub.download_url_to_file(published.url, str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"downloading {published.url} failed ({error}). Connect to the internet, or fetch that file elsewhere and "
            "give it with extractor.weights=PATH. extractor=random needs no weights"
        ) from error
    return stated


def _stated(published: Published) -> str:
    """Read the SHA-256 of the file in the hub's record; empty if the record has none."""
    with urllib.request.urlopen(published.record, timeout=_SECONDS) as answer:
        files = json.load(answer)
    file = published.url.rpartition("/")[2]
    return next((str(entry["lfs"]["oid"]) for entry in files if entry["path"] == file and entry.get("lfs")), "")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file of any size, in 64 lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, Any]:
    """Read tensors by name; nothing in the file is run.

    Args:
        path: a file of safetensors, or one that ``torch.save`` wrote.

    Returns:
        The content, whose values may be dictionaries again.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, Exception) as error:  # torch raises errors of many kinds for a file that is no state dict
        raise ValueError(f"extractor.weights: {path} holds no plain tensors ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise ValueError(f"extractor.weights: {path} holds a {type(found).__name__}, expected tensors by name")
    return found


def load_strictly(network: nn.Module, state: Mapping[str, Any], path: Path, what: str) -> None:
    """Give a network its weights: all of them, and no other ones.

    Args:
        network: changed in place.
        state: tensors by name.
        path: file of the weights, for the message.
        what: name of the network, for the message.

    Raises:
        ValueError: a weight is missing, has another shape, or belongs to no part of the network.
    """
    try:
        network.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"extractor.weights: {path} does not hold the weights of {what} ({reason}); null downloads them"
        ) from error
