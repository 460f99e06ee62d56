"""Saved views of an experiment: the runs, the order, the columns and the charts that MLflow's UI opens with.

MLflow keeps a saved view in a tag of the experiment. The tag's value is JSON with a name and times, and its ``state``
is JSON again, with the names that MLflow's frontend gives to its settings; what it lacks has MLflow's default. A view
that stands is never written again, because somebody may have changed it in the UI.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.tracking import limits
from ganvas.tracking.hierarchy import CONFIGURATION, FAILURE_TAG, LABEL_TAG, ROLE, STUDY_TAG, UNHEALTHY_TAG

PREFIX: Final = "mlflow.sharedViewState."
KIND_TAGS: Final = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment whose page opens with its training runs; without it MLflow may open prompts and traces."""
_BY_DATE: Final = "attributes.start_time"
_PICTURES: Final = "Model metrics"
"""MLflow's own section, which it puts pictures into."""
_OPEN: Final = ("val/{}", "train", _PICTURES, "score/{}")
"""Unfolded sections of charts in their order: what families share, losses, pictures, final scores as bars."""
_FOLDED: Final = ("health", "best/{}", "selection/{}", "gap", "cost", "score/likelihood", "best/likelihood")
"""Sections whose metrics have one point, or few, in each run."""


def metric(key: str) -> str:
    """Name the column of a metric."""
    return f"metrics.`{key}`"


def param(key: str) -> str:
    """Name the column of a parameter."""
    return f"params.`{key}`"


def tag(key: str) -> str:
    """Name the column of a tag."""
    return f"tags.`{key}`"


@final
@dataclass(frozen=True)
class View:
    """One saved view.

    Args:
        key: part of its address; any text.
        name: as the UI lists it.
        search: filter in MLflow's language.
        columns: as :func:`metric`, :func:`param` and :func:`tag` name them.
        order: column to sort by; empty sorts by date, the newest first.
        ascending: direction of the order.
        scores: keys of scores that get a bar for each run.
        extractor: its scores in training stand right after the losses.
    """

    key: str
    name: str
    search: str
    columns: tuple[str, ...]
    order: str = ""
    ascending: bool = False
    scores: tuple[str, ...] = ()
    extractor: str = ""

    @property
    def tag(self) -> str:
        """Name of the experiment's tag."""
        return limits.key(PREFIX + self.key)

    def value(self) -> str:
        """Value of the experiment's tag."""
        now = int(time.time() * 1000)
        sections = [_section(name.format(self.extractor), name in _OPEN) for name in (*_OPEN, *_FOLDED)]
        state = {
            "searchFilter": self.search,
            "orderByKey": self.order or _BY_DATE,
            "orderByAsc": self.ascending,
            "selectedColumns": list(self.columns),
            "compareRunSections": sections,
            "compareRunCharts": [_samples(), *map(_bar, self.scores)],
            "isAccordionReordered": True,  # else MLflow sorts the sections by name
        }
        return json.dumps({"name": self.name, "createdAt": now, "updatedAt": now, "state": json.dumps(state)})


def standard() -> tuple[View, ...]:
    """Make the views that every experiment has."""
    return (
        View(
            "configurations",
            "Configurations",
            f"{tag(ROLE)} = '{CONFIGURATION}'",
            (tag(STUDY_TAG), tag(LABEL_TAG), metric("seeds"), metric("failures")),
        ),
        View(
            "unhealthy",
            "Unhealthy",
            f"{tag(UNHEALTHY_TAG)} != ''",
            (tag(UNHEALTHY_TAG), param("model"), param("data"), param("network"), param("seed"), tag(FAILURE_TAG)),
            param("model"),  # by date MLflow would show the runs below their configurations, folded
            True,
        ),
    )


def experiment_tags() -> dict[str, str]:
    """Make the tags that an experiment is created with."""
    return KIND_TAGS | {view.tag: view.value() for view in standard()}


def keep(client: MlflowClient, experiment_id: str, name: str, value: str) -> None:
    """Write a view if the experiment does not have it; several processes may do so at the same time.

    Args:
        client: client of the store.
        experiment_id: MLflow's id of the experiment.
        name: name of the tag.
        value: value of the tag.
    """
    if name in client.get_experiment(experiment_id).tags:
        return
    try:
        client.set_experiment_tag(experiment_id, name, value)
    except MlflowException:
        if name not in client.get_experiment(experiment_id).tags:
            raise


def _section(name: str, is_open: bool) -> Mapping[str, Any]:
    """Pictures get a whole row, so that runs stand side by side in it, high enough for square grids."""
    size = {"columns": 1, "cardHeight": 440} if name == _PICTURES else {}
    own = {"uuid": _section_id(name), "name": name, "display": is_open}
    return own | size | {"isReordered": False, "deleted": False}


def _section_id(name: str) -> str:
    return f"ganvas-{name}"


def _samples() -> Mapping[str, Any]:
    """Card of the samples, without the parameters that MLflow would write above each picture."""
    return _card("samples", "IMAGE", _PICTURES) | {"imageKeys": ["samples"], "step": 0, "showRunParams": False}


def _bar(key: str) -> Mapping[str, Any]:
    """Card of a bar chart; MLflow would draw a line chart with one point."""
    section, _, name = key.rpartition("/")
    return _card(key, "BAR", section) | {"metricKey": key, "displayName": name}


def _card(key: str, kind: str, section: str) -> dict[str, Any]:
    own = {"uuid": f"ganvas-{key}", "type": kind, "metricSectionId": _section_id(section)}
    return own | {"runsCountToCompare": 10, "deleted": False, "isGenerated": False}


def best_view(key: str, ascending: bool, scores: Iterable[str]) -> View:
    """Make the view that lists all runs with a score, the best first.

    Args:
        key: ``score/<extractor>/<metric>``.
        ascending: whether less is better.
        scores: keys of the scores that a run has.
    """
    _, extractor, name = key.split("/")
    return View(
        f"best-{extractor}-{name}",
        f"Best by {name} ({extractor})",
        f"{metric(key)} > -1",  # runs that have it
        (
            *(metric(k) for k in (key, f"best/{extractor}/{name}")),
            *(metric(k) for k in scores if k.startswith(f"score/{extractor}/") and k != key),
            *(param(k) for k in ("model", "data", "network", "objective", "constraint", "optimizer.lr", "seed")),
            *(tag(k) for k in (UNHEALTHY_TAG, STUDY_TAG)),
        ),
        metric(key),
        ascending,
        tuple(scores),
        extractor,
    )


def study_names(study: str) -> tuple[str, str]:
    """Name the two views of a study.

    Args:
        study: name of the study.
    """
    return f"Study {study}", f"Study {study}: configurations"


def study_views(study: str, objectives: Mapping[str, str], swept: Iterable[str]) -> tuple[View, ...]:
    """Make the views of one study: its runs and its configurations, the best first.

    Args:
        study: name of the study.
        objectives: ``minimize`` or ``maximize`` by score; the first one sorts.
        swept: keys of the config that the study varies.
    """
    runs, configurations = study_names(study)
    key, direction = next(iter(objectives.items()), ("", ""))
    extractor = key.split("/")[1] if key.count("/") == 2 else ""
    own = f"{tag(STUDY_TAG)} = '{study}'"
    varied = tuple(param(k) for k in swept)
    means = tuple(metric(f"{part}/{k}") for k in objectives for part in ("mean", "sd", "n"))
    return (
        View(
            f"study-{study}",
            runs,
            f"{own} AND {tag(ROLE)} = 'run'",
            (*map(metric, objectives), *varied, param("seed"), tag(UNHEALTHY_TAG)),
            metric(key) if key else "",
            direction == "minimize",
            tuple(objectives),
            extractor,
        ),
        View(
            f"study-{study}-configurations",
            configurations,
            f"{own} AND {tag(ROLE)} = '{CONFIGURATION}'",
            (*means, *varied, metric("seeds"), metric("failures")),
            metric(f"mean/{key}") if key else "",
            direction == "minimize",
            tuple(f"mean/{k}" for k in objectives),
            extractor,
        ),
    )
