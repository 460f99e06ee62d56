"""The Python API: what ``ganvas train``, ``score`` and ``report`` do, as functions that return what was found.

Positional arguments are the overrides of the command line; keyword arguments are overrides too, with Python values.
Bad input raises what the command prints: :class:`~ganvas.config.ConfigError` and its like.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, final

import pandas as pd
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict
from PIL import Image
from rich.console import Console
from torch import Tensor

from ganvas.data import pictures
from ganvas.metrics.base import Score
from ganvas.models import Model
from ganvas.run.recording import Job
from ganvas.scoring.subjects import ModelSubject, device_of, open_model
from ganvas.storage.checkpoints import LAST
from ganvas.sweeps.overrides import quoted


@final
@dataclass(frozen=True)
class Grid:
    """A picture that a notebook shows.

    Args:
        image: the picture.
    """

    image: Image.Image

    def _repr_png_(self) -> bytes:
        """IPython's hook."""
        content = io.BytesIO()
        self.image.save(content, format="PNG")
        return content.getvalue()


@final
class Loaded:
    """A trained model, with the data and the config that it was trained on.

    Args:
        subject: the model as ``ganvas score`` opens it.
    """

    def __init__(self, subject: ModelSubject) -> None:
        self.model: Model = subject.model
        self.config = subject.config
        self.images_seen = subject.images_seen
        self._subject = subject

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """Draw examples in [-1, 1] by the weights that the model is judged by, on the CPU.

        Args:
            n: how many.
            seed: of the latents.
            y: class of each, for a conditional model.
        """
        return self.model.sample(n, seed, y).cpu()

    def show(self, rows: int = 4, columns: int = 8, seed: int = 0) -> Grid:
        """Show a grid of samples, or of points a scatter over the data.

        Args:
            rows: of the grid.
            columns: of the grid.
            seed: of the latents.
        """
        if len(self._subject.shape) == 3:
            picture = pictures.grid(self.sample(rows * columns, seed), columns)
        else:
            data = self._subject.data.some(self._subject.data.source.report_split, 2000)
            picture = pictures.scatter(self.sample(2000, seed), data.x)
        return Grid(Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()))


@final
class Scores(Mapping[str, Score]):
    """Scores by key ``score/<kind>/<name>``, with the content of ``result.json`` beside them.

    Args:
        result: of a measurement.
    """

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        over = result["uncertainty"]
        self._scores = {
            key: Score(s["value"], _half(s["interval"]), over.get(key, "")) for key, s in result["scores"].items()
        }

    def __getitem__(self, key: str) -> Score:
        return self._scores[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each score: value, uncertainty and over what, floor, ceiling, fingerprint of its protocol."""
        rows = self.result["calibration"]
        columns = {
            "value": {key: score.value for key, score in self.items()},
            "sd": {key: score.sd for key, score in self.items()},
            "over": {key: score.sd_over for key, score in self.items()},
            "floor": rows["floor"],
            "ceiling": rows["ceiling"],
            "protocol": self.result["fingerprints"],
        }
        return pd.DataFrame(columns, index=list(self))

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Health checks by name: value, state (``ok`` or ``warn``), reason."""
        return self.result["findings"]


@final
class Run:
    """A finished training.

    Args:
        result: what its ``result.json`` holds.
    """

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.id: str = result["run_id"]
        self.output = Path(result["output"])
        self.scores = Scores(result)

    @cached_property
    def loaded(self) -> Loaded:
        """The trained model with its data and its config."""
        return load(str(self.output / LAST))

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.loaded.model

    def show(self, rows: int = 4, columns: int = 8, seed: int = 0) -> Grid:
        """Show a grid of samples; see :meth:`Loaded.show`."""
        return self.loaded.show(rows, columns, seed)


@final
class Report:
    """A study's report.

    Args:
        result: what its ``result.json`` holds.
    """

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.page = Path(result["page"])

    @property
    def ranking(self) -> pd.DataFrame:
        """A row for each configuration, the best first within its protocol."""
        return pd.read_csv(self.page.parent / "configurations.csv")


def train(*overrides: str, config_dir: str | Path | None = None, quiet: bool = True, **values: Any) -> Run:
    """Train, log and score one model, as ``ganvas train`` does.

    Args:
        *overrides: as on the command line, as ``model=wgan_gp`` or ``budget.images=20000``.
        config_dir: folder with config groups of one's own.
        quiet: whether the progress line is kept back.
        **values: further overrides with Python values, as ``seed=3``.

    Returns:
        The run: ``id``, ``scores``, ``model``, ``show()``.

    Raises:
        ConfigError: parts that do not fit each other, or a key that is none.
        NonFiniteError: a loss that became NaN or infinite.
    """
    from ganvas.run.training import train as train_one

    own = [*overrides, *_written(values)]
    cfg = _composed("train", own, config_dir)
    choices = {group: str(choice) for group, choice in cfg.hydra.runtime.choices.items()}
    with open_dict(cfg):
        del cfg["hydra"]
    output = Path(cfg.paths.output)
    output.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(io.StringIO()) if quiet else _as_it_is():
        return Run(train_one(cfg, Job(output, choices, own)))


def score(source: str | Path, *overrides: str, config_dir: str | Path | None = None, **values: Any) -> Scores:
    """Score a run, a checkpoint or images against a reference, as ``ganvas score`` does.

    Args:
        source: run id, checkpoint, folder of images, ``.npz`` or ``.npy``.
        *overrides: as on the command line, as ``settings.kid_subsets=50``.
        config_dir: folder with config groups of one's own.
        **values: further overrides with Python values, as ``reference="photos/"`` or ``metrics=["fid", "kid"]``.

    Returns:
        Scores by key; ``.table`` is a data frame.

    Raises:
        ConfigError: something that cannot be scored as asked.
        DataError: images that cannot be read.
    """
    from ganvas.commands.score import score as score_one

    cfg = _composed("score", [f"source={quoted(str(source))}", *overrides, *_written(values)], config_dir)
    output = Path(cfg.paths.output)
    output.mkdir(parents=True, exist_ok=True)
    return Scores(score_one(cfg, output, Console(file=io.StringIO())))


def load(source: str | Path) -> Loaded:
    """Open a trained model.

    Args:
        source: run id, ``RUN_ID/best.ckpt``, checkpoint, or folder with one.

    Raises:
        CheckpointError: no checkpoint of ganvas.
    """
    return Loaded(open_model(str(source), device_of(None)))


def report(*studies: str, **values: Any) -> Report:
    """Rank the configurations of studies and write their page, as ``ganvas report`` does.

    Args:
        *studies: names, at least one.
        **values: overrides with Python values, as ``score="score/mnist/fd"``.

    Raises:
        StudyError: no such study, or nothing in it to rank.
    """
    from ganvas.commands.report import report as report_on

    cfg = _composed("report", _written({"studies": list(studies), **values}), None)
    output = Path(cfg.paths.output)
    output.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(io.StringIO()):
        return Report(report_on(cfg, output))


def _composed(root: str, overrides: Sequence[str], config_dir: str | Path | None) -> DictConfig:
    """The config of a command, its output folder named by the moment; Hydra's own state is left as it was."""
    now = datetime.now()
    output = f"outputs/{now:%Y-%m-%d}/{now:%H-%M-%S-%f}"
    own = [] if any(o.startswith("paths.output=") for o in overrides) else [f"paths.output={output}"]
    path = [] if config_dir is None else [f"hydra.searchpath=[{quoted(f'file://{Path(config_dir).absolute()}')}]"]
    instance = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("ganvas.conf", version_base="1.3"):
            return compose(root, [*overrides, *own, *path], return_hydra_config=root == "train")
    finally:
        if instance is not None:
            GlobalHydra.instance().initialize(instance)


def _written(values: Mapping[str, Any]) -> list[str]:
    """Python values as overrides."""
    return [f"{key}={_text(value)}" for key, value in values.items()]


def _text(value: Any) -> str:
    if isinstance(value, str | Path):
        return quoted(str(value))
    if isinstance(value, list | tuple):
        return f"[{','.join(_text(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{name}:{_text(each)}' for name, each in value.items())}}}"
    return json.dumps(value)


def _half(interval: Sequence[float] | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield
