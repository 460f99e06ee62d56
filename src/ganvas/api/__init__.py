"""The Python API: one function for each command, which returns the command's result.

Positional arguments are overrides as on the command line; keyword arguments are overrides with Python values. Where a
command prints an error and exits with 2, its function raises it, for example :class:`~ganvas.config.ConfigError`.
"""

from ganvas.api.calls import compare, load, report, sample, score, train
from ganvas.api.compared import Compared
from ganvas.api.results import Grid, Loaded, Report, Result, Samples, Scores

__all__ = [
    "Compared",
    "Grid",
    "Loaded",
    "Report",
    "Result",
    "Samples",
    "Scores",
    "compare",
    "load",
    "report",
    "sample",
    "score",
    "train",
]
