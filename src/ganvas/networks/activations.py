"""Activations by the name they have in ``torch.nn``, with PyTorch's own parameters."""

from __future__ import annotations

from torch import nn

ACTIVATIONS = ("ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh")


def activation(name: str) -> nn.Module:
    """The activation of that name.

    Args:
        name: one of :data:`ACTIVATIONS`.

    Returns:
        A fresh module.

    Raises:
        ValueError: not one of them.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"argument `activation` is {name!r}; expected one of {', '.join(ACTIVATIONS)}")
    module: nn.Module = getattr(nn, name)()
    return module
