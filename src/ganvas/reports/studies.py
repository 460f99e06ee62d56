"""Studies in the store: one table of all their runs, the score that ranks them, and the report on their runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from ganvas.metrics.registry import lower_is_better
from ganvas.reports.collect import SCORE, StudyError, left_out, study_runs, tidy
from ganvas.tracking import limits
from ganvas.tracking.hierarchy import DIRECTION_TAG, LOG_SCALE, OBJECTIVE_TAG, ROLE, STUDY, STUDY_TAG
from ganvas.tracking.outcomes import reason
from ganvas.tracking.store import StoreError, impatient, tracking_uri, without_password

FOLDER = "report"
"""Folder of the report among the artifacts of the study's run."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that spreadsheets take as the beginning of a formula."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_FIRST = ("fid", "fd")
"""Metrics that rank a study without an objective, if it has them."""


@dataclass(frozen=True)
class Studies:
    """One study or several, read together.

    Args:
        names: names of the studies.
        table: tidy table of all seed runs, whose labels are unique to a configuration.
        records: the study's own run in MLflow, by name, for each study that has one.
        left_out: a sentence for each run that cannot be read.
    """

    names: tuple[str, ...]
    table: pd.DataFrame
    records: dict[str, Run]
    left_out: tuple[str, ...] = ()

    @property
    def logarithmic(self) -> frozenset[str]:
        """Keys of the parameters that one of the studies searched on a logarithmic scale."""
        recorded = [run.data.params.get(LOG_SCALE, "") for run in self.records.values()]
        return frozenset(key for keys in recorded for key in keys.split(",") if key)


def load(client: MlflowClient, names: Sequence[str]) -> Studies:
    """Read studies from the store.

    Args:
        client: client of the MLflow store.
        names: names of studies, at least one.

    Raises:
        StudyError: no name, or a study without a run.
    """
    if not names:
        raise StudyError("no study named; write ganvas report STUDY, the name that study=NAME gave to the runs")
    runs = {name: study_runs(client, name) for name in dict.fromkeys(names)}
    tables = {name: tidy(found) for name, found in runs.items()}
    if empty := [name for name, table in tables.items() if table.empty]:
        why = "".join(f"; {sentence}" for sentence in left_out(runs[empty[0]]))
        raise StudyError(f"no run of study {empty[0]!r}{why}{_known(client)}")
    records = {name: run for name, found in runs.items() for run in found if run.data.tags.get(ROLE) == STUDY}
    unread = tuple(sentence for found in runs.values() for sentence in left_out(found))
    return Studies(tuple(runs), _unique_labels(pd.concat(tables.values(), ignore_index=True)), records, unread)


def choose_score(studies: Studies, score: str | None, direction: str | None) -> tuple[str, bool]:
    """Choose the score that ranks the configurations, and its direction.

    Args:
        studies: the studies of the report.
        score: key that the user asked for; None takes the study's objective, else its Fréchet distance.
        direction: ``lower`` or ``higher``; None takes the direction of the study, else of the metric.

    Returns:
        The key, and whether less is better.

    Raises:
        StudyError: no run has the score, or its direction is not known.
    """
    tags = next(iter(studies.records.values())).data.tags if studies.records else {}
    objectives = dict(zip(tags.get(OBJECTIVE_TAG, "").split(","), tags.get(DIRECTION_TAG, "").split(","), strict=False))
    table = studies.table
    has = [key for key in table.columns if key.startswith(("score/", "best/")) and table[key].notna().any()]
    candidates = [key for key in objectives if key in has] + sorted(
        (key for key in has if key.startswith(SCORE) and lower_is_better(key) is not None),
        key=lambda key: (key.rpartition("/")[2] not in _FIRST, -table[key].count()),
    )
    chosen = score or next(iter(candidates), None)
    if chosen is None or chosen not in has:
        what = "" if chosen is None else f" {chosen}"
        raise StudyError(f"score: no finished run of {', '.join(studies.names)} has a score{what}; {_offered(has)}")
    named = direction or {"minimize": "lower", "maximize": "higher"}.get(objectives.get(chosen, ""))
    lower = named == "lower" if named else lower_is_better(chosen)
    if lower is None:
        raise StudyError(f"direction: not known for {chosen}; write direction=lower or direction=higher")
    return chosen, lower


def publish(client: MlflowClient, studies: Studies, files: Iterable[Path]) -> dict[str, str]:
    """Log the report's files to each study's run, which is created for a study that has none.

    Args:
        client: client of the MLflow store.
        studies: the studies of the report; several share one folder name that lists them all.
        files: files of the report.

    Returns:
        Ids of the studies' runs by name.

    Raises:
        StoreError: the store did not take the files.
    """
    folder = FOLDER if len(studies.names) == 1 else f"{FOLDER}-{'+'.join(studies.names)}"
    paths = list(files)
    try:
        with impatient():
            found = {name: _record(client, studies, name) for name in studies.names}
            for run_id in found.values():
                for path in paths:
                    client.log_artifact(run_id, str(path), folder)
    except Exception as error:
        message = f"the report is written, but the MLflow store {tracking_uri()} did not take it: {reason(error)}"
        raise StoreError(without_password(message)) from error
    return found


def runs_table(table: pd.DataFrame) -> pd.DataFrame:
    """Make the tidy table writable as CSV: all protocols of a run in one column of text."""
    protocols = [" ".join(sorted(set(digits.values()))) for digits in table["protocol"]]
    return table.assign(protocol=protocols, warnings=[" ".join(checks) for checks in table["warnings"]])


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before every text that a spreadsheet would execute as a formula.

    Args:
        table: a table with any columns; cells that are numbers, and texts that are numbers, stay as they are.
    """
    return table.map(_harmless).rename(columns=_harmless)


def _harmless(cell: object) -> object:
    text = isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if text else cell


def _offered(keys: list[str]) -> str:
    return f"write score=KEY with one of {', '.join(keys)}" if keys else "see the failures in `ganvas ui`"


def _known(client: MlflowClient) -> str:
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{STUDY_TAG}` != ''", max_results=1000) if experiments else []
    names = sorted({run.data.tags[STUDY_TAG] for run in runs})
    if not names:
        return "; the store has no studies at all: train with study=NAME"
    return f"; the store has the studies {', '.join(names)}"


def _unique_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Make labels unique: add the study's name if there are several, and the hash if two configurations share one."""
    if table["study"].nunique() > 1:
        table["label"] = table["study"] + ": " + table["label"]
    hashes = table.groupby("label")["configuration"].transform("nunique")
    table["label"] = table["label"].where(hashes == 1, table["label"] + " (" + table["configuration"] + ")")
    return table


def _record(client: MlflowClient, studies: Studies, name: str) -> str:
    if name in studies.records:
        return studies.records[name].info.run_id
    some = studies.table["run_id"][studies.table["study"] == name].iloc[0]
    experiment = client.get_run(str(some)).info.experiment_id
    run = client.create_run(experiment, run_name=limits.name(name), tags={ROLE: STUDY, STUDY_TAG: name})
    client.set_terminated(run.info.run_id)
    return run.info.run_id
