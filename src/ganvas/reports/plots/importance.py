"""Importance of swept parameters for reaching good scores: Optuna's PED-ANOVA on the configurations of a ranking.

Reference: Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces"
(IJCAI 2023), equation 16. Parameters that only some configurations have are handled as in Optuna 5.
"""

from __future__ import annotations

import warnings

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from ganvas.reports.ranking import Ranking

LEAST = 10
"""Smallest number of configurations for which shares are computed; with fewer they would be guesses."""
_TOP = 5
"""Smallest number of configurations that count as good, as Optuna advises."""
LOG_SPAN = 30.0
"""Ratio of the largest to the smallest value from which a parameter is taken to be on a logarithmic scale."""


def number(text: str) -> float | None:
    """Read ``text`` as a number; None if it is not a number."""
    try:
        return float(text)
    except ValueError:
        return None


def numeric(values: list[str]) -> list[float] | None:
    """Read all values as numbers; None if one of them is not a number."""
    numbers = [number(value) for value in values]
    return None if None in numbers else numbers  # type: ignore[return-value]


def is_log(numbers: list[float]) -> bool:
    """Whether the values span a logarithmic scale."""
    return min(numbers) > 0 and max(numbers) / min(numbers) >= LOG_SPAN


def varying(ranking: Ranking) -> dict[str, list[str]]:
    """Values of each swept parameter that has at least two different ones among the configurations with a score."""
    values: dict[str, list[str]] = {}
    for configuration in ranking.ranked:
        for key, value in configuration.params.items():
            values.setdefault(key, []).append(value)
    return {key: found for key, found in values.items() if len(set(found)) > 1}


def importances(ranking: Ranking) -> dict[str, float]:
    """Compute the share of each swept parameter in reaching the best configurations.

    Args:
        ranking: ranking of the scores of one protocol.

    Returns:
        Shares by parameter, the largest first, with sum 1. Empty if fewer than two parameters vary, or if there are
        fewer than :data:`LEAST` configurations.
    """
    values, n = varying(ranking), len(ranking.ranked)
    if len(values) < 2 or n < LEAST:
        return {}
    space = {key: _distribution(found) for key, found in values.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    sign = 1 if ranking.lower_is_better else -1
    for c in ranking.ranked:
        dims = {key: space[key] for key in c.params if key in space}
        params = {key: _value(c.params[key], dims[key]) for key in dims}
        trial = optuna.trial.create_trial(params=params, distributions=dims, value=sign * c.summary.mean)
        study.add_trial(trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, _TOP / n)))
        return get_param_importances(study, evaluator=evaluator)


def _distribution(values: list[str]) -> BaseDistribution:
    numbers = numeric(values)
    if numbers is None:
        return CategoricalDistribution(sorted(set(values)))
    return FloatDistribution(min(numbers), max(numbers), log=is_log(numbers))


def _value(text: str, distribution: BaseDistribution) -> str | float:
    return float(text) if isinstance(distribution, FloatDistribution) else text
