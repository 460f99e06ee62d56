"""``ganvas report``: read the runs of a study, rank its configurations and write one page with the conclusion."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from ganvas import __version__
from ganvas.commands.carried import carried
from ganvas.config import CONFIG_PATH, ConfigError, report_folder
from ganvas.reports.collect import protocol_fingerprint
from ganvas.reports.page import Facts, Section, make_section, render
from ganvas.reports.protocols import how_they_differ
from ganvas.reports.ranking import comparison_rows, configuration_rows, rankings
from ganvas.reports.studies import Studies, choose_score, load, publish, runs_table, without_formulas
from ganvas.storage.atomic import write_json
from ganvas.tracking.store import existing_store
from ganvas.tracking.sync import end_dead_runs

PAGE = "report.html"


@hydra.main(config_path=CONFIG_PATH, config_name="report", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """Write the report; Hydra calls it with the composed config."""
    report(cfg, Path(HydraConfig.get().runtime.output_dir))


def report(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Collect, rank, draw, write and log a report on studies.

    Args:
        cfg: the config, composed from ``conf/report.yaml``.
        output: folder for pictures, tables, ``result.json`` and, if it is not the one below the sweep's, the page.

    Returns:
        The content of ``result.json``.

    Raises:
        StudyError: the store does not have a study, or a study has nothing to rank.
        ConfigError: ``direction`` or ``shown`` is out of range.
        StoreError: the store cannot be read, or does not accept the report.
    """
    if cfg.direction not in (None, "lower", "higher") or cfg.shown < 1:
        raise ConfigError(f"direction is lower or higher, got {cfg.direction}; shown is at least 1, got {cfg.shown}")
    client = existing_store()
    end_dead_runs(client)
    studies = load(client, list(cfg.studies))
    score, lower = choose_score(studies, cfg.score, cfg.direction)
    digits = protocol_fingerprint(studies.table, score)
    ranked = rankings(studies.table, digits, score, lower, cfg.baseline, studies.logarithmic)
    sections = [make_section(client, ranking, cfg.shown) for ranking in ranked]
    protocols = [section.protocol for section in sections if section.protocol is not None]
    refusal = how_they_differ(protocols) if len(sections) > 1 else ""
    made = datetime.now().strftime("%Y-%m-%d %H:%M")
    page = render(Facts(studies.names, score, lower, made, __version__, refusal, studies.left_out), sections)
    told = [_as_dict(section) for section in sections]
    place = _page_of(output, cfg.studies)
    files = _write(output, place, page, sections, told, studies)
    result = {
        "studies": list(studies.names),
        "score": score,
        "lower_is_better": lower,
        "refusal": refusal,
        "left_out": list(studies.left_out),
        "rankings": told,
        "page": str(place.absolute()),
        "output": str(output.absolute()),
    }
    path = output / "result.json"
    write_json(path, result)
    publish(client, studies, [*files, path])
    _say(sections, refusal, studies.left_out, place, Console())
    if cfg.open and not webbrowser.open(place.absolute().as_uri()):
        print("open: no browser was found; open that file in one")
    return result


def _page_of(output: Path, studies: Sequence[str]) -> Path:
    """Return the path of the page: in the sweep's folder, or in the output folder that was named."""
    unnamed = output.absolute() == Path(report_folder(studies)).absolute()
    return (output.parent if unnamed else output) / PAGE


def _write(
    output: Path, place: Path, page: str, sections: list[Section], told: list[dict[str, Any]], studies: Studies
) -> list[Path]:
    """Write the page to ``place``, and to ``output`` a PNG file for each picture, and three tables."""
    output.mkdir(parents=True, exist_ok=True)
    place.write_text(page, encoding="utf-8")
    files = [place]
    for section in sections:
        suffix = f"-{section.ranking.fingerprint}" if len(sections) > 1 else ""
        for picture in section.pictures.values():
            files.append(output / f"{picture.name}{suffix}.png")
            files[-1].write_bytes(picture.light)
    tables = {
        "runs": runs_table(studies.table),
        "configurations": pd.DataFrame([row for ranking in told for row in ranking["configurations"]]),
        "comparisons": pd.DataFrame([row for ranking in told for row in ranking["comparisons"]]),
    }
    for name, table in tables.items():
        files.append(output / f"{name}.csv")
        without_formulas(table).to_csv(files[-1], index=False)
    return files


def _as_dict(section: Section) -> dict[str, Any]:
    ranking = section.ranking
    return {
        "fingerprint": ranking.fingerprint,
        "conclusion": section.sentences,
        "configurations": configuration_rows(ranking),
        "comparisons": comparison_rows(ranking),
        "failures": [vars(failure) for failure in ranking.failures],
        "protocol": section.protocol and section.protocol.as_dict(),
    }


def _say(sections: list[Section], refusal: str, left_out: Sequence[str], page: Path, console: Console) -> None:
    remarks = [f"{len(sections)} protocols, {len(sections)} rankings: {refusal}"] if refusal else []
    for sentence in (*left_out, *remarks, *(sentence for section in sections for sentence in section.sentences)):
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    console.print(f"Report: {page.absolute()}", soft_wrap=True, markup=False, highlight=False)
