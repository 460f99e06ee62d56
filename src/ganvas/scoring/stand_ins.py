"""What stands in the place of generated images on the calibration rows: training images, noise, one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data.source import Examples, TensorExamples
from ganvas.scoring.calibration import uniform_noise
from ganvas.scoring.task import Part, Task


def training_images(task: Task) -> Part | None:
    """As many as are scored, or all; None where there are none that are not the reference itself.

    Args:
        task: what is scored, against what.
    """
    if task.reference.split == "train" or not task.reference.has("train"):
        return None
    return task.part("train", "the floor", task.n)


def noise(task: Task) -> Part:
    """Images with uniform pixels, as many as are scored.

    Args:
        task: what is scored, against what.
    """
    images = TensorExamples(uniform_noise(task.n, task.subject.shape, task.settings.seed))
    return Part(images, torch.arange(task.n), "uniform noise")


def one_class(task: Task) -> Part:
    """Training images (of the reference, where there are no others) of their most frequent class.

    Args:
        task: what is scored, against what.

    Raises:
        ConfigError: the classes are not known.
    """
    examples = one_mode_source(task)
    index, label = members(task, examples)
    return Part(examples, index, f"class {label}, drawn with seed {task.settings.seed}")


CEILINGS: Mapping[str, Callable[[Task], Part]] = MappingProxyType({"noise": noise, "one_mode": one_class})


def check_ceiling(name: str) -> None:
    """Refuse a name of no ceiling.

    Args:
        name: as in ``ceiling=``.

    Raises:
        ConfigError: with all there are.
    """
    if name not in CEILINGS:
        raise ConfigError(f"ceiling={name}: expected {' or '.join(CEILINGS)}")


def one_mode_source(task: Task) -> Examples:
    """Where a collapsed generator would have its one mode from: the training split, else the reference's own.

    Args:
        task: what is scored, against what.
    """
    split = "train" if task.reference.has("train") else task.reference.split
    return task.reference.examples(split, "ceiling=one_mode")


def members(task: Task, examples: Examples) -> tuple[Tensor, int]:
    """At most as many positions as are scored, all of the most frequent label, and that label.

    Args:
        task: what is scored.
        examples: of which.

    Raises:
        ConfigError: they have no labels.
    """
    if examples.labels is None:
        raise ConfigError(
            f"ceiling=one_mode needs classes, which reference={task.reference.name} does not know; write ceiling=noise"
        )
    label = int(examples.labels.bincount().argmax())
    found = (examples.labels == label).nonzero().squeeze(1)
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(task.settings.seed))
    return found[order[: task.n]], label
