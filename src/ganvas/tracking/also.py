"""The places of ``tracking.also``, each by the name of the package that it needs, and the copies of a run there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Final

from ganvas.config import ConfigError, closest
from ganvas.tracking.copies import CopiedRun, Copy, Original
from ganvas.tracking.run import Run
from ganvas.tracking.tensorboard import TensorBoard
from ganvas.tracking.weights_and_biases import WeightsAndBiases

PLACES: Final[Mapping[str, Callable[[Original], Copy]]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}


def require_places(names: Sequence[str]) -> None:
    """Refuse a place that no copy can be made at, before a run begins.

    Args:
        names: value of ``tracking.also``.

    Raises:
        ConfigError: a name that is unknown, or whose package is not installed.
    """
    for name in names:
        if name not in PLACES:
            raise ConfigError(
                f"tracking.also={name}: expected {' or '.join(PLACES)}{closest(name, list(PLACES))} "
                "Write for example tracking.also=[tensorboard]"
            )
        spec = find_spec(name)
        if spec is None or spec.origin is None:  # a mere folder ./wandb, as W&B makes them, is no package
            raise ConfigError(f"tracking.also={name}: {name} is not installed; pip install {name}")


@contextmanager
def copied(run: Run, original: Original, names: Sequence[str]) -> Iterator[Run]:
    """Copy what is logged inside the block.

    Args:
        run: the run that is copied.
        original: the same run, as its copies name it.
        names: places of the copies; none leaves the run as it is.

    Yields:
        A run that also logs to the copies.
    """
    if not names:
        yield run
        return
    both = CopiedRun(run, {name: partial(PLACES[name], original) for name in names})
    try:
        yield both
    except BaseException:
        both.close(finished=False)
        raise
    both.close(finished=True)
