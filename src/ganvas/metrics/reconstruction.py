"""Reconstructions of held-out images, and what the metrics of their quality share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.settings import Setting

if TYPE_CHECKING:
    from ganvas.metrics.base import Material, Measured

KIND: Final = "reconstruction"
COUNT: Final = Setting("reconstruction.n", None, "number of held-out images; null takes all", least=1, decides=False)
BATCH: Final = 250


def unit_range(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Convert images in [-1, 1] to [0, 1], in which quality is defined; values outside are clipped, as in a file."""
    return (images.clamp(-1, 1) + 1) / 2


def measured(
    material: Material,
    metric: str,
    quality: Callable[[Tensor, Tensor], Tensor],
    facts: Mapping[str, Any] | None = None,
) -> Measured:
    """Average the quality of the reconstructions of held-out images, as the model sees them, with its standard error.

    Args:
        material: inputs of the metric.
        metric: name of the metric.
        quality: function of reconstructions and images in [0, 1]; returns a finite value for each.
        facts: further conditions of the score's protocol.
    """
    from ganvas.metrics.base import Measured, Score

    model, n = material.reconstructor(metric), material.settings[COUNT.name]
    values = [
        quality(unit_range(model.reconstruct(batch)), unit_range(batch.x)).double().cpu()
        for batch in material.held_out(n, BATCH)
    ]
    every = torch.cat(values)
    mean = mean_error(every)
    return Measured(
        {metric: Score(mean.mean, mean.standard_error, f"{mean.n} {material.split} images")},
        conditions={"n": mean.n, "transform": dict(material.transform()), **(facts or {})},
        terms={metric: every},
    )
