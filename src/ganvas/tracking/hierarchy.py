"""Tags that order the runs of a study in MLflow: study run, configuration runs below it, seed runs below these.

The tag ``mlflow.parentRunId`` puts a run below another. Seed runs are ordinary runs of ``ganvas train``; a run that was
trained outside a sweep has a study tag and no role.
"""

from __future__ import annotations

import colorsys
from typing import Final

ROLE: Final = "ganvas.role"
"""Tag: :data:`STUDY`, :data:`CONFIGURATION` or :data:`RUN`."""
STUDY: Final = "study"
CONFIGURATION: Final = "configuration"
RUN: Final = "run"
STUDY_TAG: Final = "ganvas.study"
"""Name of the study, on runs of all three roles."""
CONFIGURATION_TAG: Final = "ganvas.configuration"
"""Hash of the resolved config without seed, paths, study and tracking; on configuration and seed runs."""
LABEL_TAG: Final = "ganvas.label"
"""Swept values in readable form, without the seed; on configuration and seed runs."""
TRIAL_TAG: Final = "ganvas.trial"
"""Optuna's trial number; on configuration runs."""
OUTCOME_TAG: Final = "ganvas.outcome"
"""``nan``, ``error``, ``pruned`` or ``interrupted``; on seed runs that did not finish."""
FAILURE_TAG: Final = "ganvas.failure"
"""Reason of a failure, in one line."""
UNHEALTHY_TAG: Final = "ganvas.unhealthy"
"""Names of the health checks that warn, joined by commas, empty without; on seed runs that ended by themselves."""
NOT_LOGGED_TAG: Final = "ganvas.not_logged"
"""What the store lacked when the run ended, until ``ganvas sync`` delivers it."""
OBJECTIVE_TAG: Final = "ganvas.objective"
"""Key of the score that a study ranks by, several joined by commas; on the study run."""
DIRECTION_TAG: Final = "ganvas.direction"
"""``minimize`` or ``maximize``, for each objective; on the study run."""
LOG_SCALE: Final = "log_scale"
"""Parameter of the study run: keys that were searched on a logarithmic scale, joined by commas."""
SEED_TAG: Final = "ganvas.seed"
"""Seed of a run."""
PARENT_TAG: Final = "mlflow.parentRunId"
"""MLflow's own tag: the run above this one in the UI."""
COLOUR_TAG: Final = "mlflow.runColor"
"""MLflow's own tag: colour of a run in tables and charts."""
NOTE_TAG: Final = "mlflow.note.content"
"""MLflow's own tag: description of a run, in Markdown."""
_GOLDEN: Final = 0.6180339887


def colour(number: int) -> str:
    """Choose the colour of a configuration, which its seed runs share; neighbours differ most.

    Args:
        number: of the trial, from 0.
    """
    rgb = colorsys.hls_to_rgb(number * _GOLDEN % 1, 0.42, 0.65)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
