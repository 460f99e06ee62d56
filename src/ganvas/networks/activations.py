"""Activations by their names in ``torch.nn``, with PyTorch's default parameters."""

from __future__ import annotations

from torch import nn

ACTIVATIONS = ("ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh")


def activation(name: str) -> nn.Module:
    """Make a new activation module.

    Args:
        name: one of :data:`ACTIVATIONS`.

    Raises:
        ValueError: an unknown name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"argument `activation` is {name!r}; expected one of {', '.join(ACTIVATIONS)}")
    module: nn.Module = getattr(nn, name)()
    return module
