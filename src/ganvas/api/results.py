"""What the calls return: scores with their uncertainty, a trained model, a ranking, and pictures for a notebook."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64, UInt8
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data import pictures
from ganvas.health.finding import Finding
from ganvas.models import Model
from ganvas.scoring.subjects import ModelSubject, device_of, open_subject

SEED = 1000
"""Seed of the latents that `ganvas score` and `ganvas sample` draw from, so that all three show the same images."""
POINTS = 2000


@final
@dataclass(frozen=True)
class ReportedScore:
    """A score and what it is read against.

    Args:
        value: the score, in the metric's units.
        interval: lower and upper end, one standard deviation over ``over`` either side; None where there is none.
        over: what the deviation is over; empty where there is none.
        floor: score of real training images in the place of generated ones; None where it was not measured.
        ceiling: score of noise; None where it was not measured.
        fingerprint: twelve hexadecimal digits of the protocol; scores with different ones do not compare.
    """

    value: float
    interval: tuple[float, float] | None
    over: str
    floor: float | None
    ceiling: float | None
    fingerprint: str | None

    def __float__(self) -> float:
        return self.value


@final
class Picture:
    """A picture that a notebook shows.

    Args:
        image: it, for everything else that pillow can do.
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    @staticmethod
    def of(pixels: UInt8[Tensor, "3 h w"]) -> Picture:
        """Make a picture from pixels in [0, 255]."""
        return Picture(Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()))

    def save(self, path: str | Path) -> None:
        """Write the picture to a file; its suffix says in which format."""
        self.image.save(path)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image.save(buffer, format="png")
        return buffer.getvalue()


@final
class Loaded:
    """A trained model with the config and the data that it was trained by.

    Args:
        subject: the model, on its device.
    """

    def __init__(self, subject: ModelSubject) -> None:
        assert subject.config is not None
        self.model: Model = subject.model
        self.config: DictConfig = subject.config
        self.images_seen: int = subject.images_seen
        self._data = subject.data

    def sample(self, n: int = 64, seed: int = SEED, y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, "n ..."]:
        """Draw examples: images in [-1, 1], or points; the same ones for the same seed.

        Args:
            n: how many, at least 1.
            seed: of the latents; no global generator is touched.
            y: class of each, for a conditional model; None draws classes as often as in the training data.
        """
        return self.model.sample(n, seed, y)

    def show(self, rows: int = 8, columns: int = 8, seed: int = SEED) -> Picture:
        """Draw ``rows`` times ``columns`` examples as a grid; points are scattered over the data's.

        Args:
            rows: at least 1.
            columns: at least 1.
            seed: of the latents.
        """
        if rows < 1 or columns < 1:
            raise ConfigError(f"rows={rows}, columns={columns}: both must be at least 1")
        if len(self.model.shape) == 3:
            return Picture.of(pictures.grid(self.sample(rows * columns, seed), columns))
        data = self._data.some(self._data.source.report_split, POINTS)
        return Picture.of(pictures.scatter(self.sample(max(rows * columns, POINTS), seed).cpu(), data.x))


def load_model(source: str, device: str | None = None) -> Loaded:
    """Build a trained model from its checkpoint.

    Args:
        source: run id, checkpoint, or a folder with one.
        device: as torch names it; None takes a GPU where there is one.

    Raises:
        ConfigError: the source is no model.
    """
    subject = open_subject(source, device_of(device))
    if not isinstance(subject, ModelSubject):
        raise ConfigError(f"{source}: images, not a model; give a run id or a checkpoint")
    return Loaded(subject)


@final
class ScoreTable:
    """Scores of one source, as ``result.json`` holds them.

    Args:
        facts: content of ``result.json``.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.output = Path(facts["output"])
        self.scores: Mapping[str, ReportedScore] = MappingProxyType(_scores(facts, facts))
        self.findings: Mapping[str, Finding] = MappingProxyType(_findings(facts))
        self.notes: tuple[str, ...] = tuple(facts.get("notes", ()))

    @property
    def table(self) -> pd.DataFrame:
        """A row for each score, by its key ``score/<extractor>/<metric>``."""
        return _frame(self.scores)

    def _repr_html_(self) -> str:
        return self.table.to_html()


@final
class Result:
    """A finished training: its scores, its model and where they are kept.

    Args:
        facts: content of ``result.json``.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.id: str = facts["run_id"]
        self.name: str = facts["name"]
        self.output, self.checkpoint = Path(facts["output"]), Path(facts["checkpoint"])
        self.images_seen: int = facts["images_seen"]
        self.scores: Mapping[str, ReportedScore] = MappingProxyType(_scores(facts, facts))
        self.best: Mapping[str, ReportedScore] = MappingProxyType(_scores(facts, facts["best"] or {}))
        self.findings: Mapping[str, Finding] = MappingProxyType(_findings(facts))

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each score of the final weights, by its key ``score/<extractor>/<metric>``."""
        return _frame(self.scores)

    @cached_property
    def loaded(self) -> Loaded:
        """The trained model with its config, read from ``last.ckpt`` when it is first asked for."""
        return load_model(str(self.checkpoint))

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.loaded.model

    @property
    def config(self) -> DictConfig:
        """The config that the run was trained by."""
        return self.loaded.config

    def sample(self, n: int = 64, seed: int = SEED, y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, "n ..."]:
        """Draw examples, see :meth:`Loaded.sample`."""
        return self.loaded.sample(n, seed, y)

    def show(self, rows: int = 8, columns: int = 8, seed: int = SEED) -> Picture:
        """Draw examples as a grid, see :meth:`Loaded.show`."""
        return self.loaded.show(rows, columns, seed)

    def _repr_html_(self) -> str:
        return self.frame.to_html()


@final
class Samples:
    """Examples that ``ganvas sample`` wrote.

    Args:
        facts: content of ``result.json``.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.output, self.path = Path(facts["output"]), Path(facts["array"])
        self.picture = Picture(Image.open(facts["picture"]).convert("RGB"))

    @cached_property
    def array(self) -> np.ndarray:
        """The examples: ``uint8`` images ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 255], or points ``(n, d)``."""
        with np.load(self.path) as file:
            return file[file.files[0]]

    def _repr_png_(self) -> bytes:
        return self.picture._repr_png_()


@final
class Report:
    """A report on studies.

    Args:
        facts: content of ``result.json``.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.output, self.path = Path(facts["output"]), Path(facts["page"])
        self.score: str = facts["score"]
        self.conclusion: tuple[str, ...] = tuple(
            sentence for ranking in facts["rankings"] for sentence in ranking["conclusion"]
        )

    @property
    def ranking(self) -> pd.DataFrame:
        """A row for each configuration, best first; configurations of different protocols are ranked apart."""
        return self._rows("configurations")

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row for each pair of configurations that was compared."""
        return self._rows("comparisons")

    def _rows(self, name: str) -> pd.DataFrame:
        rankings = self.facts["rankings"]
        return pd.DataFrame(
            [{"fingerprint": ranking["fingerprint"], **row} for ranking in rankings for row in ranking[name]]
        )

    def _repr_html_(self) -> str:
        return self.ranking.to_html()


def _scores(facts: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, ReportedScore]:
    """Scores of the final weights or of the best checkpoint, which share protocols."""
    calibration = facts.get("calibration", {})
    found = {}
    for key, score in of.get("scores", {}).items():
        final = key.replace("best/", "score/", 1)
        found[key] = ReportedScore(
            value=score["value"],
            interval=None if score["interval"] is None else (score["interval"][0], score["interval"][1]),
            over=facts.get("uncertainty", {}).get(final, ""),
            floor=calibration.get("floor", {}).get(final),
            ceiling=calibration.get("ceiling", {}).get(final),
            fingerprint=facts.get("fingerprints", {}).get(final),
        )
    return found


def _findings(facts: Mapping[str, Any]) -> dict[str, Finding]:
    return {name: Finding(name, **finding) for name, finding in facts.get("findings", {}).items()}


def _frame(scores: Mapping[str, ReportedScore]) -> pd.DataFrame:
    rows = {}
    for key, score in scores.items():
        low, high = score.interval or (float("nan"), float("nan"))
        kept = {name: value for name, value in asdict(score).items() if name not in ("value", "interval")}
        rows[key] = {"value": score.value, "low": low, "high": high, **kept}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")
