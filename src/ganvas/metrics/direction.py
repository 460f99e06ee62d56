"""Which way a score is better: known from its name, so that no report ranks a Fréchet distance upside down."""

from __future__ import annotations

LOWER = ("fid", "fd", "fd_infinity", "kid", "nll", "reverse_kl", "stacked/kl", "memorisation_close")
HIGHER = (
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
    "elbo",
    "log_likelihood",
    "modes/covered",
    "high_quality",
    "stacked/modes",
    "memorisation_authentic",
)


def lower_is_better(key: str) -> bool | None:
    """Direction of a score.

    Args:
        key: ``<phase>/<extractor>/<metric>``, as ``score/mnist/fd``.

    Returns:
        Whether less is better; None where the metric is not known, or says nothing of quality (an ELBO's KL term).
    """
    *_, extractor, metric = ["", *key.split("/")]
    names = {metric, f"{extractor}/{metric}"}
    return True if names & set(LOWER) else False if names & set(HIGHER) else None
