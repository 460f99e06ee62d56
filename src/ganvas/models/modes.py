"""Modes of a network for the length of a block: evaluating and frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch dropout off and fix batch statistics inside the block; each sub-module's mode is restored after it."""
    modes = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for child, mode in modes:
            child.training = mode


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Stop gradients of ``module``'s parameters inside the block; gradients still flow through it to its input."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
