"""A training that takes seconds, as overrides."""

TINY = [
    "network=mlp",
    "budget.images=640",
    "score.n=40",
    "score.n_during=40",
    "paths.cache=cache",
    "score.settings.is_splits=2",
    "score.settings.kid_subsets=2",
    "grid.rows=2",
    "grid.columns=3",
    "tracking.system_metrics=false",
]
