"""ganvas: experiment-tracked research on GANs, WGANs and VAEs.

The commands as functions, and the parts of models, each imported when it is first used:

>>> import ganvas
>>> run = ganvas.train("model=wgan_gp", "data=mnist5k", "budget.images=20000", seed=3)
>>> run.scores["score/mnist/fd"].value
>>> ganvas.objectives.Hinge()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas import data as data
    from ganvas import extractors as extractors
    from ganvas import latents as latents
    from ganvas import metrics as metrics
    from ganvas import models as models
    from ganvas import networks as networks
    from ganvas import objectives as objectives
    from ganvas.api.calls import load as load
    from ganvas.api.calls import report as report
    from ganvas.api.calls import sample as sample
    from ganvas.api.calls import score as score
    from ganvas.api.calls import train as train

__version__ = "0.1.0"

_CALLS = ("load", "report", "sample", "score", "train")
_ROOMS = ("data", "extractors", "latents", "metrics", "models", "networks", "objectives")

__all__ = [
    "data",
    "extractors",
    "latents",
    "load",
    "metrics",
    "models",
    "networks",
    "objectives",
    "report",
    "sample",
    "score",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _CALLS:
        return getattr(import_module("ganvas.api.calls"), name)
    if name in _ROOMS:
        return import_module(f"ganvas.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
