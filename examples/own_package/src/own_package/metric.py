r"""Distance of the mean features, to a power.

.. math:: \lVert \mu_1 - \mu_2 \rVert^p
"""

from __future__ import annotations

from ganvas.metrics import MOMENTS, Comparison, Score, Setting, feature_metric


def _centre(pair: Comparison) -> Score:
    real, fake = pair.moments
    return Score(float((real.mean - fake.mean).norm() ** pair.settings.centre_power), None, "")


METRIC = feature_metric(
    "centre",
    MOMENTS,
    True,
    _centre,
    "distance of the mean features",
    (Setting("centre_power", 1, "the power (nobody's: 1)", least=1),),
)
