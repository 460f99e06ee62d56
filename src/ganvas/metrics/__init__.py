"""Metrics: one file for each, with its mathematics and, at the end, its registration ``METRIC``.

This package exports what a user's own metric needs; :mod:`ganvas.metrics.registry` lists all metrics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.metrics.base import FACTORS as FACTORS
    from ganvas.metrics.base import FEATURES as FEATURES
    from ganvas.metrics.base import LOGITS as LOGITS
    from ganvas.metrics.base import MODEL as MODEL
    from ganvas.metrics.base import MOMENTS as MOMENTS
    from ganvas.metrics.base import RECONSTRUCTIONS as RECONSTRUCTIONS
    from ganvas.metrics.base import SAMPLES as SAMPLES
    from ganvas.metrics.base import Material as Material
    from ganvas.metrics.base import Measured as Measured
    from ganvas.metrics.base import Metric as Metric
    from ganvas.metrics.base import Score as Score
    from ganvas.metrics.base import feature_metric as feature_metric
    from ganvas.metrics.comparison import Comparison as Comparison
    from ganvas.metrics.registry import register as register
    from ganvas.metrics.registry import settings_of as settings_of
    from ganvas.metrics.sensible import SensibleN as SensibleN
    from ganvas.metrics.settings import Setting as Setting
    from ganvas.metrics.settings import Settings as Settings

_BASE = (
    "FACTORS",
    "FEATURES",
    "LOGITS",
    "MODEL",
    "MOMENTS",
    "RECONSTRUCTIONS",
    "SAMPLES",
    "Material",
    "Measured",
    "Metric",
    "Score",
    "feature_metric",
)
_PLACES = dict.fromkeys(_BASE, "ganvas.metrics.base") | {
    "Comparison": "ganvas.metrics.comparison",
    "register": "ganvas.metrics.registry",
    "settings_of": "ganvas.metrics.registry",
    "SensibleN": "ganvas.metrics.sensible",
    "Setting": "ganvas.metrics.settings",
    "Settings": "ganvas.metrics.settings",
}
__all__ = [*_PLACES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
