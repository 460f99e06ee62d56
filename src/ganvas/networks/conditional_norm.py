r"""Conditional batch normalisation: each class has a scale and a shift of its own for every channel.

.. math:: \text{CBN}(x, y) = \gamma_y \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_y,

with mean :math:`\mu` and variance :math:`\sigma^2` of the channel over the whole batch, all classes together.

Reference: de Vries et al. 2017, section 3, https://arxiv.org/abs/1707.00683; Dumoulin et al. 2017, section 2.2,
https://arxiv.org/abs/1610.07629
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding

from ganvas.types import Conditional


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation with a scale and a shift for each class; all classes start at 1 and 0.

    Args:
        norm: batch normalisation without a scale and a shift of its own.
        features: number of channels.
        classes: number of classes, at least 1.

    Raises:
        ValueError: no class.
    """

    def __init__(self, norm: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"argument `classes` is {classes}; expected at least 1. Fix: take a plain generator.")
        self.norm = norm
        self.classes = classes
        self.weight = nn.Parameter(torch.ones(classes, features))
        self.bias = nn.Parameter(torch.zeros(classes, features))

    def forward(self, x: Float[Tensor, "n c ..."], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c ..."]:
        """Normalise over the batch, then scale and shift each example as its class does."""
        each = (*x.shape[:2], *[1] * (x.ndim - 2))
        scale, shift = embedding(y, self.weight).reshape(each), embedding(y, self.bias).reshape(each)
        return torch.addcmul(shift, self.norm(x), scale)


class ConditionalSequential(nn.Sequential):
    """Layers one after the other; those that are conditional take the classes too.

    Args:
        classes: number of classes.
        layers: plain and conditional layers.
    """

    def __init__(self, classes: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.classes = classes

    def forward(self, x: Tensor, y: Int64[Tensor, " n"]) -> Tensor:  # type: ignore[override]
        """Run all layers."""
        for layer in self:
            x = layer(x, y) if isinstance(layer, Conditional) else layer(x)
        return x


def batch_norm(norm: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], features: int, classes: int | None) -> nn.Module:
    """Make a batch normalisation, which is conditional if there are classes.

    Args:
        norm: class of the normalisation.
        features: number of channels.
        classes: number of classes; None makes a plain one.
    """
    return norm(features) if classes is None else ConditionalBatchNorm(norm(features, affine=False), features, classes)


def sequential(layers: Iterable[nn.Module], classes: int | None) -> nn.Sequential:
    """Stack layers, of which those with classes get the classes too.

    Args:
        layers: the layers, first one first.
        classes: number of classes; None makes a plain stack.
    """
    return nn.Sequential(*layers) if classes is None else ConditionalSequential(classes, *layers)
