"""The Python API: what the commands do, as functions that return what was found.

Positional arguments are the overrides of the command line; keyword arguments are overrides too, with Python values.
Bad input raises what the command prints: :class:`~ganvas.config.ConfigError` and its like.
"""

from ganvas.api.calls import load, report, sample, score, train
from ganvas.api.results import Grid, Loaded, Report, Result, Samples, Scores

__all__ = ["Grid", "Loaded", "Report", "Result", "Samples", "Scores", "load", "report", "sample", "score", "train"]
