"""ganvas: experiment-tracked research on GANs, WGANs and VAEs.

The Python API does what the commands do, by the same overrides: :func:`train`, :func:`score`, :func:`compare`,
:func:`sample`, :func:`load`, :func:`report`. The rooms of parts stand beside them, as ``ganvas.objectives.Hinge``;
they need neither Hydra nor MLflow. Importing ``ganvas`` alone takes no time: each heavy part comes when it is first
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganvas.imports import uncollected

if TYPE_CHECKING:
    from ganvas import data as data
    from ganvas import extractors as extractors
    from ganvas import latents as latents
    from ganvas import metrics as metrics
    from ganvas import models as models
    from ganvas import networks as networks
    from ganvas import objectives as objectives
    from ganvas.api import compare as compare
    from ganvas.api import load as load
    from ganvas.api import report as report
    from ganvas.api import sample as sample
    from ganvas.api import score as score
    from ganvas.api import train as train

__version__ = "0.1.0"
_CALLS = ("compare", "load", "report", "sample", "score", "train")
_ROOMS = ("data", "extractors", "latents", "metrics", "models", "networks", "objectives")
__all__ = [*_CALLS, *_ROOMS]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _ROOMS or name in _CALLS:
        with uncollected():
            return import_module(f"ganvas.{name}") if name in _ROOMS else getattr(import_module("ganvas.api"), name)
    raise AttributeError(f"module 'ganvas' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
