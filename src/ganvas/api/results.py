"""Results of the API functions: scores, a trained model, samples, a ranking, and pictures for a notebook."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data import pictures
from ganvas.metrics.base import Score
from ganvas.models import Model
from ganvas.models.by_class import rows_of_classes
from ganvas.scoring.subjects import ModelSubject, device_of, open_model

POINTS = 2000
"""Number of points in a scatter plot."""


@final
@dataclass(frozen=True)
class Grid:
    """A picture that a notebook displays; ``image`` is the pillow image."""

    image: Image.Image

    @staticmethod
    def of(pixels: Tensor) -> Grid:
        """Make a picture of ``uint8`` pixels ``(3, h, w)``."""
        return Grid(Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()))

    def _repr_png_(self) -> bytes:
        """Encode the picture as PNG; IPython calls it to display the picture."""
        content = io.BytesIO()
        self.image.save(content, format="PNG")
        return content.getvalue()


@final
class Loaded:
    """A trained model with its training data and its config."""

    def __init__(self, subject: ModelSubject) -> None:
        assert subject.config is not None
        self.model: Model = subject.model
        self.config: DictConfig = subject.config
        self.images_seen = subject.images_seen
        self._subject = subject

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """Draw examples with the weights that evaluation uses (EMA weights if the model has them).

        Args:
            n: number of examples.
            seed: seed of the latents.
            y: class of each example, ``(n,)``, for a conditional model; None draws classes with the frequencies of the
                training data.

        Returns:
            Images in [-1, 1] or points, on the CPU.
        """
        return self.model.sample(n, seed, y).cpu()

    def show(self, rows: int = 4, columns: int = 8, seed: int = 0) -> Grid:
        """Draw a grid of sampled images; for points, draw a scatter plot of samples and data.

        Args:
            rows: images in a column of the grid; of a conditional model, each row is one class, the first ones first.
            columns: images in a row of the grid.
            seed: seed of the latents.
        """
        if rows < 1 or columns < 1:
            raise ConfigError(f"rows={rows}, columns={columns}: both must be at least 1")
        if len(self._subject.shape) == 3:
            classes = self.model.classes
            if classes is not None:
                return Grid.of(
                    pictures.grid(rows_of_classes(self.model, range(min(rows, classes)), columns, seed), columns)
                )
            return Grid.of(pictures.grid(self.sample(rows * columns, seed), columns))
        data = self._subject.data.some(self._subject.data.source.report_split, POINTS)
        return Grid.of(pictures.scatter(self.sample(POINTS, seed), data.x))


def load_model(source: str, device: str | None = None, trust: Sequence[str] = ()) -> Loaded:
    """Build a trained model from its checkpoint.

    Args:
        source: run id, checkpoint, or folder with a checkpoint.
        device: torch device, for example ``cuda:0``; None takes a GPU if there is one, else the CPU.
        trust: packages whose parts the checkpoint may name besides those of ganvas.
    """
    return Loaded(open_model(source, device_of(device), trust))


@final
class Scores(Mapping[str, Score]):
    """Scores by key ``score/<kind>/<name>``; ``result`` is the content of ``result.json``."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.output = Path(result["output"])
        over = result.get("uncertainty", {})
        self._scores = {
            key: Score(s["value"], _half(s["interval"]), over.get(key, ""), s["interval"] and tuple(s["interval"]))
            for key, s in result.get("scores", {}).items()
        }

    def __getitem__(self, key: str) -> Score:
        return self._scores[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def table(self) -> pd.DataFrame:
        """Table with a row for each score: value, sd, what the sd is over, floor, ceiling, protocol fingerprint."""
        rows = self.result.get("calibration", {})
        columns = {
            "value": {key: score.value for key, score in self.items()},
            "sd": {key: score.sd for key, score in self.items()},
            "over": {key: score.sd_over for key, score in self.items()},
            "floor": rows.get("floor", {}),
            "ceiling": rows.get("ceiling", {}),
            "protocol": self.result.get("fingerprints", {}),
        }
        return pd.DataFrame(columns, index=list(self))

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Findings of the health checks by name: value, state (``ok`` or ``warn``), reason."""
        return self.result.get("findings", {})

    def _repr_html_(self) -> str:
        return self.table.to_html()


@final
class Result:
    """A finished training; ``result`` is the content of its ``result.json``.

    Args:
        result: the content.
        trust: what its config names besides parts of ganvas, trusted because the caller's own config named it.
    """

    def __init__(self, result: Mapping[str, Any], trust: Sequence[str] = ()) -> None:
        self.result, self.trust = dict(result), tuple(trust)
        self.id: str = result["run_id"]
        self.name: str = result["name"]
        self.output = Path(result["output"])
        self.images_seen: int = result["images_seen"]
        self.scores = Scores(result)

    @property
    def best(self) -> Scores:
        """Scores of the best checkpoint by key ``best/<kind>/<name>``; empty if no checkpoint was chosen."""
        best = self.result["best"] or {"scores": {}}
        shared = {
            part: {key.replace("score/", "best/", 1): value for key, value in self.result[part].items()}
            for part in ("uncertainty", "fingerprints")
        }
        return Scores({**shared, "scores": best["scores"], "output": self.result["output"]})

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Findings of the health checks by name, see :attr:`Scores.findings`."""
        return self.scores.findings

    @property
    def frame(self) -> pd.DataFrame:
        """Table with a row for each score of the final weights, see :attr:`Scores.table`."""
        return self.scores.table

    @cached_property
    def loaded(self) -> Loaded:
        """The trained model with its data and its config; read from the checkpoint at the first access."""
        return load_model(self.result["checkpoint"], trust=self.trust)

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.loaded.model

    @property
    def config(self) -> DictConfig:
        """The config of the run."""
        return self.loaded.config

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """Draw examples; see :meth:`Loaded.sample`."""
        return self.loaded.sample(n, seed, y)

    def show(self, rows: int = 4, columns: int = 8, seed: int = 0) -> Grid:
        """Draw a grid of samples; see :meth:`Loaded.show`."""
        return self.loaded.show(rows, columns, seed)

    def _repr_html_(self) -> str:
        return self.frame.to_html()


@final
class Samples:
    """Examples that ``ganvas sample`` wrote; ``result`` is the content of its ``result.json``."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.output, self.path = Path(result["output"]), Path(result["array"])
        self.picture = Grid(Image.open(result["picture"]).convert("RGB"))

    @cached_property
    def array(self) -> np.ndarray:
        """The examples: ``uint8`` images ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 255], or points ``(n, d)``."""
        with np.load(self.path) as file:
            return file[file.files[0]]

    def _repr_png_(self) -> bytes:
        return self.picture._repr_png_()


@final
class Report:
    """A report on studies; ``result`` is the content of its ``result.json``."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.page = self.path = Path(result["page"])
        self.score: str = result["score"]

    @property
    def ranking(self) -> pd.DataFrame:
        """Table with a row for each configuration; within each protocol the best comes first."""
        return self._rows("configurations")

    @property
    def comparisons(self) -> pd.DataFrame:
        """Table with a row for each compared pair of configurations."""
        return self._rows("comparisons")

    @property
    def conclusion(self) -> tuple[str, ...]:
        """The sentences at the top of the page."""
        return tuple(sentence for ranking in self.result["rankings"] for sentence in ranking["conclusion"])

    def _rows(self, name: str) -> pd.DataFrame:
        rankings = self.result["rankings"]
        return pd.DataFrame(
            [{"protocol": ranking["fingerprint"], **row} for ranking in rankings for row in ranking[name]]
        )

    def _repr_html_(self) -> str:
        return self.ranking.to_html()


def _half(interval: Sequence[float] | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2
