"""The loader that MLflow calls for a registered model: requests of numbers and seeds, answered by examples.

MLflow keeps the exported folder and the name of this module, so nothing is pickled, and a config in the folder is
checked as in every exported folder (docs/explanation/security.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import pandas as pd

from ganvas.data.sources.npz import at_rest
from ganvas.scoring.subjects import ModelSubject, device_of, open_model

EXAMPLE = pd.DataFrame({"n": [2], "seed": [0]})
"""A request: for each row, ``n`` examples of a ``seed``."""


@final
class Served:
    """Answers requests with examples.

    Args:
        subject: the model.
    """

    def __init__(self, subject: ModelSubject) -> None:
        self._model = subject.model

    def predict(self, requests: pd.DataFrame, params: Mapping[str, Any] | None = None) -> np.ndarray:
        """Draw examples, the same as ``ganvas sample -n N --seed SEED`` draws.

        Args:
            requests: columns ``n`` and ``seed``, a row for each request.
            params: none are known.

        Returns:
            The examples of all rows after each other: ``uint8`` images, channels last and without that axis for
            grey, or points.
        """
        asked = zip(requests["n"], requests["seed"], strict=True)
        return np.concatenate([at_rest(self._model.sample(int(n), int(seed)).cpu()) for n, seed in asked])


def _load_pyfunc(data_path: str) -> Served:
    """Open an exported folder; MLflow calls this name."""
    return Served(open_model(data_path, device_of(None)))
