"""The table at the end of a run or a multirun: scores side by side, best checkpoints, warnings, where to look next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

# What the ELBO is made of stands in result.json and in MLflow; the table has no room for it.
TERMS = ("score/likelihood/reconstruction", "score/likelihood/kl")


class PrintTable(Callback):
    """Hydra's hook: prints what the jobs of a multirun came to."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read the study's ``result.json`` and those of its jobs, and print them; what failed is listed below."""
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


def print_table(results: list[dict[str, Any]], folder: Path, console: Console) -> None:
    """One row a run, named by what differs, one column a score; then where the sample grids are and how to open the UI.

    Scores of different protocols do not compare: each protocol gets a table of its own.

    Args:
        results: contents of ``result.json``, at least one.
        folder: of the multirun.
        console: where to.
    """
    common = [part for part in results[0]["name"].split() if all(part in r["name"].split() for r in results)]
    if len(results) > 1:
        console.print(f"{len(results)} runs of {' '.join(common) or 'one multirun'}", soft_wrap=True)
    for fingerprint in dict.fromkeys(result["fingerprint"] for result in results):
        together = [r for r in results if r["fingerprint"] == fingerprint]
        console.print(_table(together, common, fingerprint))
        for line in (
            line
            for result in together
            for line in _remarks(result, "" if len(results) == 1 else f" {_label(result, common)}")
        ):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    grids = folder if len(results) == 1 else f"{folder}/**"
    console.print(f"Sample grids: {grids}/samples.png\nAll runs, losses and grids: ganvas ui", soft_wrap=True)


def _table(results: list[dict[str, Any]], common: list[str], fingerprint: str | None) -> Table:
    keys = [key for key in dict.fromkeys(key for r in results for key in r["scores"]) if key not in TERMS]
    table = Table(caption=f"protocol {fingerprint}" if fingerprint else None, caption_justify="left")
    table.add_column("run", overflow="fold")
    for key in keys:
        table.add_column(key.removeprefix("score/"), justify="right")
    for result in results:
        table.add_row(_label(result, common), *[_cell(result["scores"].get(key)) for key in keys])
    return table


def _label(result: dict[str, Any], common: list[str]) -> str:
    """What a run is called beside the others; alone it has its whole name."""
    return " ".join(part for part in result["name"].split() if part not in common) or result["name"]


def _remarks(result: dict[str, Any], label: str) -> Iterator[str]:
    """One line on the best checkpoint, if one was chosen, and one on each warning."""
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
