"""``ganvas train --dry-run``: what a command line would train, how fast, and how long the whole line takes.

Hydra would make an output folder for a run, so the config is composed without running it. Nothing is written to the
store or to a folder; only data and weights that a training would download are downloaded.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import hydra
import optuna
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganvas.commands.next_steps import say
from ganvas.config import ConfigError, as_given, spelled_out
from ganvas.config.aliases import require_small
from ganvas.display import duration, plural
from ganvas.run.dry import Trial, try_out
from ganvas.run.request import Job
from ganvas.sweeps.multirun import as_overrides, read_settings
from ganvas.sweeps.overrides import quoted
from ganvas.sweeps.samplers import make_sampler
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space, read_space
from ganvas.usage import Parser

MEASURED: Final = 6
"""Largest number of configurations of a sweep that are tried, evenly spread over it."""


class _Composed(NamedTuple):
    """A composed config with and without Hydra's own node, and the request that a training would get."""

    full: DictConfig
    cfg: DictConfig
    job: Job


def main(arguments: list[str]) -> None:
    """Try a training or a sweep out, and print what was found.

    Args:
        arguments: arguments after ``ganvas train`` without ``--dry-run``: overrides, ``-m``, ``--config-dir DIR``.
    """
    parser = Parser(prog="ganvas train --dry-run", add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-dir", "-cd")
    options, line = parser.parse_known_args(spelled_out(arguments))
    if others := [word for word in line if word.startswith("-")]:
        parser.error(f"got {others[0]}; expected overrides, -m and --config-dir DIR")
    if options.config_dir is not None:
        line.append(f"hydra.searchpath=[{quoted(f'file://{_folder(options.config_dir)}')}]")
    console = Console()
    with hydra.initialize_config_module("ganvas.conf", version_base="1.3"):
        if options.multirun:
            _sweep(line, console)
        else:
            composed = _composed(line)
            _print(try_out(composed.cfg, composed.job), console)
    say(console, "nothing was written; the same line without --dry-run trains")


def _folder(given: str) -> Path:
    """Return the absolute path of ``--config-dir``."""
    folder = Path(given).absolute()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir={given}: no such folder; expected one that holds network/, objective/, ...")
    require_small(folder)
    return folder


def _composed(overrides: Sequence[str]) -> _Composed:
    full = hydra.compose("train", list(overrides), return_hydra_config=True)
    job = Job(Path(full.paths.output), *as_given(full.hydra))
    cfg = full.copy()
    with open_dict(cfg):
        del cfg["hydra"]
    return _Composed(full, cfg, job)


def _print(found: Trial, console: Console) -> None:
    rows = {
        **found.parts,
        "memory": _gib(found.memory),
        "speed": f"{found.rate:,.0f} images/s: {found.setting}",
        "time": f"about {duration(found.seconds)}: {duration(found.training)} of steps, "
        f"{duration(found.scoring)} of scores",
    }
    for name, text in rows.items():
        say(console, f"{name:10} {text}")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _sweep(line: Sequence[str], console: Console) -> None:
    parse = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides
    common = [text for text in line if not parse([text])[0].is_sweep_override()]
    full = _composed(common).full
    sweeper: Any = OmegaConf.to_container(full.hydra.sweeper, resolve=True)
    own = [text for text in line if not text.lstrip("+~").startswith("hydra")]
    of_hydra = [text for text in line if text not in own]
    space = read_space(sweeper["params"], sweeper["when"], sweeper["seeds"], own, parse)
    settings = read_settings(sweeper, full)
    points, count = _points(space, settings)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    table = Table()
    for header in ("configuration", "parameters", "images/s", "time of a run"):
        table.add_column(header, justify="left" if header == "configuration" else "right", no_wrap=header[0] != "c")
    found = []
    for values in points:
        composed = _composed([*of_hydra, *as_overrides({**space.fixed, **values, "seed": str(space.seeds[0])})])
        found.append(trial := try_out(composed.cfg, composed.job))
        label = " ".join(f"{key}={value}" for key, value in values.items())
        table.add_row(Text(label), f"{trial.parameters:,}", f"{trial.rate:,.0f}", duration(trial.seconds))
    say(console, f"data       {found[0].parts['data']}", f"measured   {found[0].setting}")
    say(console, f"memory     {_gib(max(trial.memory for trial in found))}")
    console.print(table)
    if len(points) < count:
        say(console, f"{len(points)} of {count} configurations were tried")
    say(console, _whole(found, count, len(space.seeds), settings.parallel))


def _points(space: Space, settings: Settings) -> tuple[list[Mapping[str, str]], int]:
    """Choose the points to try, and count all: of a grid evenly spread ones, of a search such as it may draw."""
    if settings.sampler == "grid":
        grid = [values for values, _ in islice(space.grid(), settings.n_trials)]
        step = max(math.ceil(len(grid) / MEASURED), 1)
        return list(grid[::step]), len(grid)
    count = settings.n_trials or 0
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=make_sampler("random", settings.sampler_seed, 0))
    return [space.suggest(study.ask()) for _ in range(min(count, MEASURED))], count


def _whole(found: Sequence[Trial], count: int, seeds: int, at_once: int) -> str:
    seconds = statistics.fmean(trial.seconds for trial in found) * count * seeds / at_once
    how = "one after the other" if at_once == 1 else f"{at_once} at once (which slow each other down)"
    runs = f"{plural(count, 'configuration')} x {plural(seeds, 'seed')} = {plural(count * seeds, 'run')}"
    return f"{runs}, {how}: about {duration(seconds)}"
