"""Check of features that all metrics share."""

from __future__ import annotations

from torch import Tensor

from ganvas.metrics.blocks import all_finite


def require_images(metric: str, least: int, **sides: Tensor) -> None:
    """Check that there are enough images, and that features are finite.

    Args:
        metric: name of the metric, for the message.
        least: smallest number of images of each side.
        **sides: features or logits ``(n, d)`` by name of the side.

    Raises:
        ValueError: a side has fewer than ``least`` rows, or contains NaN or infinity.
    """
    for side, x in sides.items():
        if len(x) < least:
            raise ValueError(f"{side}: {metric} expects at least {least} images, got {len(x)}; score more images")
        if not all_finite(x):
            bad = int((~x.isfinite().all(dim=1)).sum())
            raise ValueError(
                f"{side}: {metric} expects finite features, got {bad} images with NaN or infinity; check the images"
            )
