"""What the processes of a training tell each other: averages that all share, and what each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from jaxtyping import Num
from torch import Tensor

T = TypeVar("T")


def over_processes(value: Num[Tensor, ""]) -> Num[Tensor, ""]:
    """Average a number over all processes of the training; return it without a graph.

    Args:
        value: the number of this process.
    """
    value = value.detach()
    if not _several():
        return value
    total = value.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()


def each_over_processes(values: Mapping[str, Num[Tensor, ""]]) -> dict[str, Tensor]:
    """Average named numbers over all processes of the training; one that is NaN in a process is NaN in all.

    Args:
        values: the numbers of this process, with the same names in all processes.
    """
    return {name: over_processes(value) for name, value in values.items()}


def of_all_processes(value: T) -> list[T]:
    """Gather a value of each process of the training, in the order of their ranks, in all of them.

    Args:
        value: the value of this process; it can be pickled.
    """
    if not _several():
        return [value]
    gathered: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, value)
    return gathered


def group_of_processors() -> torch.distributed.ProcessGroup | None:
    """Make a group in which the processes of the training talk without waiting for a GPU; None for one process alone.

    All processes call this together.
    """
    if not _several():
        return None
    group = torch.distributed.new_group(backend="gloo")
    assert isinstance(group, torch.distributed.ProcessGroup)  # which a process outside the group would not get
    return group


def largest_of_all(value: int, group: torch.distributed.ProcessGroup) -> int:
    """Find the largest value of all processes; returns it in all of them.

    Args:
        value: the value of this process.
        group: what :func:`group_of_processors` made.
    """
    largest = torch.tensor(value)
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX, group)
    return int(largest)


def _several() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
