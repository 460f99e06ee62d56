"""Which names ``metrics=[...]`` takes: the metrics from features, and the measures that need more than features.

To add a measure: one function of a :class:`~ganvas.scoring.task.Task` in a file of this folder, one line in
:data:`MEASURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ganvas.config import ConfigError, closest
from ganvas.models import VAE
from ganvas.scoring.found import Found, together
from ganvas.scoring.from_features import feature_scores
from ganvas.scoring.from_likelihood import active_units, elbo, nll
from ganvas.scoring.from_memorisation import memorisation
from ganvas.scoring.from_modes import modes, stacked
from ganvas.scoring.from_parzen import parzen_score
from ganvas.scoring.scores import GROUPS, METRICS, standard_metrics
from ganvas.scoring.subjects import ModelSubject
from ganvas.scoring.task import Task

MEASURES: Mapping[str, Callable[[Task], Found]] = MappingProxyType(
    {
        "elbo": elbo,
        "nll": nll,
        "active_units": active_units,
        "parzen": parzen_score,
        "memorisation": memorisation,
        "modes": modes,
        "stacked_modes": stacked,
    }
)


def check_names(names: Sequence[str] | None) -> None:
    """Refuse a name that is no metric's, before anything is read.

    Args:
        names: as given; None for the standard ones.

    Raises:
        ConfigError: with the closest name and all there are.
    """
    known = [*METRICS, *GROUPS, *MEASURES]
    for name in names or ():
        if name not in known:
            raise ConfigError(f"metrics: {name} is unknown{closest(name, known)} Known are {', '.join(known)}")
    if names is not None and not names:
        raise ConfigError("metrics=[] asks for nothing; leave it out for the standard metrics")


def measure(task: Task, names: Sequence[str] | None) -> Found:
    """Every metric asked for.

    Args:
        task: what is scored, against what.
        names: checked by :func:`check_names`; None takes the standard ones.

    Raises:
        ConfigError: a metric that this source, reference or extractor cannot serve.
    """
    names = standard_names(task) if names is None else list(dict.fromkeys(names))
    features = [name for name in names if name not in MEASURES]
    parts = [feature_scores(task, features)] if features else []
    return together(parts + [MEASURES[name](task) for name in names if name in MEASURES])


def standard_names(task: Task) -> list[str]:
    """What is measured where nothing is asked for.

    Args:
        task: what is scored, against what.

    Raises:
        ConfigError: there is nothing standard to measure.
    """
    subject, extractor = task.subject, task.extractor
    names = [] if len(subject.shape) == 3 else ["modes"]
    if extractor is not None:
        names += standard_metrics(extractor.name, extractor.num_classes is not None)
    if isinstance(subject, ModelSubject) and isinstance(subject.model, VAE) and task.cfg.reference is None:
        names.append("elbo")
    if not names:
        raise ConfigError("no extractor, so no standard metrics; write extractor=inception, or metrics=[stacked_modes]")
    return names
