"""The loader that MLflow calls for a registered model: requests of numbers and seeds, answered by examples.

MLflow keeps the exported folder and the name of this module, so nothing is pickled, and a config in the folder is
checked as in every exported folder (docs/explanation/security.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any, final

import numpy as np
import pandas as pd
import torch

from ganvas.data.sources.npz import at_rest
from ganvas.models import Model
from ganvas.scoring.subjects import ModelSubject, device_of, open_model


def example(model: Model) -> pd.DataFrame:
    """Make a request: for each row, ``n`` examples of a ``seed`` and, of a conditional model, of the class ``label``.

    Args:
        model: the model that is to answer.
    """
    return pd.DataFrame({"n": [2], "seed": [0], **({} if model.classes is None else {"label": [0]})})


@final
class Served:
    """Answers requests with examples.

    Args:
        subject: the model.
    """

    def __init__(self, subject: ModelSubject) -> None:
        self._model = subject.model

    def predict(self, requests: pd.DataFrame, params: Mapping[str, Any] | None = None) -> np.ndarray:
        """Draw examples, the same as ``ganvas sample -n N --seed SEED`` (and ``--classes LABEL``) draws.

        Args:
            requests: columns ``n``, ``seed`` and, of a conditional model, ``label``; a row for each request. Without
                labels the classes are as frequent as in the training data.
            params: none are known.

        Returns:
            The examples of all rows after each other: ``uint8`` images, channels last and without that axis for
            grey, or points.
        """
        labels = requests["label"] if self._model.classes is not None and "label" in requests else repeat(None)
        asked = zip(requests["n"], requests["seed"], labels, strict=False)
        return np.concatenate([self._drawn(int(n), int(seed), label) for n, seed, label in asked])

    def _drawn(self, n: int, seed: int, label: Any) -> np.ndarray:
        y = None if label is None else torch.full((n,), int(label))
        return at_rest(self._model.sample(n, seed, y).cpu())


def _load_pyfunc(data_path: str) -> Served:
    """Open an exported folder; MLflow calls this name."""
    return Served(open_model(data_path, device_of(None)))
