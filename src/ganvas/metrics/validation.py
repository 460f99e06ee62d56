"""Checks that every metric makes of its features."""

from __future__ import annotations

from torch import Tensor


def require_images(metric: str, least: int, **sides: Tensor) -> None:
    """Refuse too few images, and features that are not finite.

    Args:
        metric: how the message names the metric.
        least: images needed a side.
        **sides: features or logits ``(n, d)`` by the name of the side.

    Raises:
        ValueError: a side with fewer than ``least`` rows, or with NaN or infinity in it.
    """
    for side, x in sides.items():
        if len(x) < least:
            raise ValueError(f"{side}: {metric} expects at least {least} images, got {len(x)}; score more images")
        if not x.isfinite().all():
            bad = int((~x.isfinite().all(dim=1)).sum())
            raise ValueError(f"{side}: {metric} expects finite features, got {bad} images without; look at the images")
