r"""Graphs of a model's decoder, which run without ganvas: ``torch.export`` and ONNX, for any number of latents.

A graph is kept only if it agrees with the model,

.. math:: \max |G(z) - \hat G(z)| \le 10^{-4},

on new latents, of another number than the graph was traced with.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ganvas.config import first_line
from ganvas.models import Model
from ganvas.models.modes import evaluating

TOLERANCE: Final = 1e-4
"""Largest difference of an output in [-1, 1]: an eightieth of a grey level."""
TORCH: Final = "decoder.pt2"
ONNX: Final = "decoder.onnx"
_TRACED, _CHECKED = 3, 7
"""Numbers of latents that a graph is traced and checked with."""
_LONGEST: Final = 200
_ONNX_PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")

Inputs = tuple[Tensor, ...]


@final
@dataclass(frozen=True)
class Graph:
    """A graph that was written, or the reason why not.

    Args:
        file: name of the file.
        difference: largest absolute difference from the model; None without a graph.
        lacking: why there is no graph; empty if there is one.
    """

    file: str
    difference: float | None
    lacking: str


@final
class Decoder(nn.Module):
    """The network that decodes, with what the model does to its output.

    Args:
        model: only the decoding network becomes part of the graph, with the weights that evaluation uses.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.part(model.decoding)
        self._decode = model.decode

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Decode latents, and classes if the model is conditional, to examples in [-1, 1]."""
        return self._decode(z, y)


def write_graphs(model: Model, folder: Path) -> list[Graph]:
    """Write ``decoder.pt2`` and, where ONNX is installed, ``decoder.onnx``; each is checked against the model.

    Args:
        model: on the CPU.
        folder: receives the files; those of an earlier export are replaced or deleted.
    """
    for name in (TORCH, ONNX):
        (folder / name).unlink(missing_ok=True)
    with torch.no_grad(), evaluating(model), _quiet():
        decoder, inputs = Decoder(model).eval(), _inputs(model, _TRACED)
        try:
            batch: tuple[Any, ...] = tuple({0: Dim("n")} for _ in inputs)
            program = torch.export.export(decoder, inputs, dynamic_shapes=batch)
        except Exception as error:  # the network is anybody's code, and torch names no common class
            said = f"torch.export cannot trace the network: {first_line(error)[:_LONGEST]}"
            return [Graph(TORCH, None, said), Graph(ONNX, None, said)]
        return [_torch_graph(program, model, folder / TORCH), _onnx_graph(program, model, folder / ONNX)]


def _torch_graph(program: ExportedProgram, model: Model, path: Path) -> Graph:
    def write() -> Callable[[Inputs], Tensor]:
        torch.export.save(program, path)
        loaded = torch.export.load(path).module()
        return lambda inputs: loaded(*inputs)

    return _checked(write, model, path)


def _onnx_graph(program: ExportedProgram, model: Model, path: Path) -> Graph:
    if lacking := [name for name in _ONNX_PACKAGES if find_spec(name) is None]:
        said = f"{' and '.join(lacking)} not installed: pip install {' '.join(lacking)}"
        return Graph(path.name, None, said)

    def write() -> Callable[[Inputs], Tensor]:
        import onnxruntime

        names = ["z", "y"][: len(_inputs(model, 1))]
        torch.onnx.export(
            program, f=path, input_names=names, output_names=["x"], dynamo=True, verbose=False, external_data=False
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda inputs: torch.from_numpy(
            session.run(None, {name: x.numpy() for name, x in zip(names, inputs, strict=True)})[0]
        )

    return _checked(write, model, path)


def _checked(write: Callable[[], Callable[[Inputs], Tensor]], model: Model, path: Path) -> Graph:
    """Write a graph, run it as it was written, and delete it if it does not agree with the model."""
    inputs = _inputs(model, _CHECKED)
    try:
        made = write()(inputs)
    except Exception as error:  # of one of two compilers, which name no common class
        path.unlink(missing_ok=True)
        return Graph(path.name, None, f"the graph cannot be written or run: {first_line(error)[:_LONGEST]}")
    difference = float((made - model.decode(*_padded(inputs))).abs().max())
    if not difference <= TOLERANCE:
        path.unlink()
        return Graph(path.name, None, f"the graph differs from the model by {difference:.1e}, more than {TOLERANCE:g}")
    return Graph(path.name, difference, "")


def _inputs(model: Model, n: int) -> Inputs:
    """Latents and, for a conditional model, classes."""
    z = model.prior.sample(n, generator=torch.Generator().manual_seed(n))
    y = model.draw_labels(n, seed=n)
    return (z,) if y is None else (z, y)


def _padded(inputs: Inputs) -> tuple[Tensor, Tensor | None]:
    return inputs[0], inputs[1] if len(inputs) > 1 else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the compilers, whose remarks are about their own insides."""
    loggers = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
