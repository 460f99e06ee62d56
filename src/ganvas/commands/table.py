"""Prints the table at the end of a run or a multirun: scores side by side, best checkpoints, warnings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from ganvas.commands.carried import Carried

# The terms of the ELBO are in result.json and in MLflow; the table has no room for them.
TERMS = ("score/likelihood/reconstruction", "score/likelihood/kl")
_NO_SCORES = "train measures none of points, or with extractor=none; losses and grids are in MLflow"


class PrintTable(Callback):
    """Hydra callback that prints the results of all jobs of a multirun."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the results in the ``result.json`` files of the study and its jobs; failed jobs are listed below."""
        from ganvas.commands.addresses import print_views
        from ganvas.tracking.sync import NotDeliveredError, require_delivered  # loads MLflow

        folder, console = Path(config.hydra.sweep.dir), Console()
        study = json.loads((folder / "result.json").read_text())
        jobs = [(c, job) for c in study["configurations"] for job in c["seeds"]]
        paths = [Path(job["output"]) / "result.json" for _, job in jobs if job["outcome"] == "finished"]
        if results := [json.loads(path.read_text()) for path in paths if path.exists()]:
            print_table(results, folder, console)
        for configuration, job in jobs:
            if job["outcome"] not in ("", "finished"):
                said = f"{configuration['label']} seed={job['seed']}: {job['outcome']}: {job['reason']}"
                console.print(said, soft_wrap=True, markup=False)
        print_views(study["run_id"], console, study["study"])
        try:
            require_delivered(folder)
        except NotDeliveredError as error:  # Hydra makes a warning of every exception that a callback raises
            raise Carried(error) from error


def print_table(results: list[dict[str, Any]], folder: Path, console: Console) -> None:
    """Print one row for each run and one column for each score, then the place of the sample grids.

    A row is named by what differs between the runs. Scores of different protocols are not comparable, so each protocol
    has its own table.

    Args:
        results: contents of ``result.json``, at least one.
        folder: output folder of the run or multirun.
        console: prints the table.
    """
    common = [part for part in results[0]["name"].split() if all(part in r["name"].split() for r in results)]
    if len(results) > 1:
        console.print(f"{len(results)} runs of {' '.join(common) or 'one multirun'}", soft_wrap=True)
    for together in _comparable(results):
        if any(result["scores"] for result in together):
            console.print(_table(together, common))
        else:
            names = ", ".join(_label(result, common) for result in together)
            console.print(f"{names}: no scores: {_NO_SCORES}", soft_wrap=True, markup=False)
        for line in (
            line
            for result in together
            for line in _remarks(result, "" if len(results) == 1 else f" {_label(result, common)}")
        ):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    grids = folder if len(results) == 1 else f"{folder}/**"
    console.print(f"Sample grids: {grids}/samples.png\nAll runs, losses and grids: ganvas ui", soft_wrap=True)


def _comparable(results: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group results so that no score in a group has two protocols; a VAE with additional scores can join a GAN."""
    groups: list[list[dict[str, Any]]] = []
    for result in results:
        fits = [group for group in groups if all(_agree(result["fingerprints"], r["fingerprints"]) for r in group)]
        if fits:
            fits[0].append(result)
        else:
            groups.append([result])
    return groups


def _agree(a: dict[str, str], b: dict[str, str]) -> bool:
    return all(a[key] == b[key] for key in a.keys() & b.keys())


def _table(results: list[dict[str, Any]], common: list[str]) -> Table:
    keys = [key for key in dict.fromkeys(key for r in results for key in r["scores"]) if key not in TERMS]
    fingerprints = {key: digits for result in results for key, digits in result["fingerprints"].items()}
    shown = ", ".join(f"{key.rpartition('/')[2]} {fingerprints[key]}" for key in keys if key in fingerprints)
    table = Table(caption=f"protocols: {shown}" if shown else None, caption_justify="left")
    table.add_column("run", overflow="fold")
    for key in keys:
        table.add_column(key.removeprefix("score/"), justify="right")
    for result in results:
        table.add_row(_label(result, common), *[_cell(result["scores"].get(key)) for key in keys])
    return table


def _label(result: dict[str, Any], common: list[str]) -> str:
    """Short name of a run: its name without the parts that all runs share, or the whole name if nothing is left."""
    return " ".join(part for part in result["name"].split() if part not in common) or result["name"]


def _remarks(result: dict[str, Any], label: str) -> Iterator[str]:
    """Yield a line about the best checkpoint, if one was chosen, and a line for each warning."""
    if best := result.get("best"):
        selected = result["selection"]
        (key, value), *_ = selected["scores"].items()
        name = key.removeprefix("selection/")
        found, last = best["scores"][f"best/{name}"]["value"], result["scores"][f"score/{name}"]["value"]
        chosen = f"chosen by {value:.4g} on {selected['split']} (optimism {result['gap']['gap/optimism']:+.2g})"
        yield f"best{label}: {name} {found:.4g} at {best['images_seen']:,} images, final {last:.4g}; {chosen}"
    for name, finding in result.get("findings", {}).items():
        if finding["state"] != "ok":
            yield f"{finding['state']}{label}: {name}: {finding['reason']}"


def _cell(score: dict[str, Any] | None) -> str:
    if score is None:
        return ""
    half = "" if score["interval"] is None else f" ± {(score['interval'][1] - score['interval'][0]) / 2:.2g}"
    return f"{score['value']:.4g}{half}"
