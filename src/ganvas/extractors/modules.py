"""Loads a user's network from Python, TorchScript or ONNX, with a hash that identifies it."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import torch
from torch import Tensor, nn

from ganvas.extractors.checksum import sha256, state_sha256


@final
class OnnxModule(nn.Module):
    """An ONNX network run by onnxruntime on the CPU.

    Args:
        content: bytes of the ``.onnx`` file; the network's first input takes the images.

    Raises:
        ValueError: onnxruntime is not installed.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                "module: an .onnx file needs onnxruntime, which is not installed; pip install onnxruntime"
            ) from error
        self._session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def forward(self, x: Tensor) -> list[Tensor]:
        """Run the network; return all its outputs, on the device of the images."""
        found = self._session.run(None, {self._input: x.cpu().numpy()})
        return [torch.from_numpy(y).to(x.device) for y in found]


def load_module(module: str) -> tuple[nn.Module, str]:
    """Load a network, and compute a SHA-256 that identifies it.

    Args:
        module: a file that ends with ``.pt``, ``.ts`` or ``.onnx``, or an importable path ``package.module.Name``.

    Returns:
        The network, and the hash of its file or of its weights and source code.

    Raises:
        ValueError: the file does not exist or cannot be read, or the path cannot be imported.
    """
    path = Path(module).expanduser()
    load = _FILES.get(path.suffix)
    return _imported(module) if load is None else _from_file(path, load)


def _from_file(path: Path, load: Callable[[Path], nn.Module]) -> tuple[nn.Module, str]:
    if not path.is_file():
        raise ValueError(f"module: expected a file, got {path}, which is not a file; check the path")
    try:
        return load(path), sha256(path.read_bytes())
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"module: {path} cannot be read as a {path.suffix} network ({str(error)[:300]})") from error


def _torchscript(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated")
        return torch.jit.load(str(path), map_location="cpu")


def _onnx(path: Path) -> nn.Module:
    return OnnxModule(path.read_bytes())


_FILES = MappingProxyType({".pt": _torchscript, ".ts": _torchscript, ".onnx": _onnx})


def _imported(module: str) -> tuple[nn.Module, str]:
    """Import the dotted path and call it; the hash includes its source file, since code changes features too."""
    package, _, name = module.rpartition(".")
    try:
        make = getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"module: expected an importable path package.module.Name or a .pt, .ts or .onnx file, got "
            f"'{module}' ({error})"
        ) from error
    # The initialisation must not consume the global random state.
    with torch.random.fork_rng(devices=[]):
        network = make()
    if not isinstance(network, nn.Module):
        raise ValueError(f"module: expected '{module}()' to return a torch.nn.Module, got {type(network).__name__}")
    source = Path(inspect.getfile(make)).read_bytes()
    return network, sha256(state_sha256(network).encode() + source)
