"""A rehearsal of the scores: what would fail after the training because of too few images, fails before it."""

from __future__ import annotations

from typing import Final

import torch
from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.metrics.base import Settings
from ganvas.metrics.registry import scores, standard_metrics

WIDTH: Final = 2
"""Number of features and classes of the rehearsal; the number of images is the true one."""


def rehearse_scores(cfg: DictConfig, data: DataModule, extractor: Extractor, settings: Settings) -> None:
    """Compute the scores of the training on random features, as many as there will be images.

    Args:
        cfg: the composed config.
        data: the data to train on.
        extractor: extracts features for scores.
        settings: settings of the metrics.

    Raises:
        ConfigError: a score needs more images, or other settings.
    """
    splits = {"score.n": (data.source.report_split, cfg.score.n)}
    if cfg.score.every is not None:
        splits["score.n_during"] = ("val", cfg.score.n_during)
    names = standard_metrics(extractor.name, extractor.num_classes is not None)
    short = settings.replace(kid_subsets=1)
    for key, (split, n) in splits.items():
        real, fake = _random(extractor, len(data.examples(split))), _random(extractor, max(n, 0))
        try:
            scores(real, fake, names, short)
        except ValueError as error:
            raise ConfigError(
                f"{key}={n}, against {real.n} images of the {split} split: {error}; raise {key}, lower the "
                "setting below score.settings, or write extractor=none"
            ) from error


def _random(extractor: Extractor, n: int) -> Features:
    generator = torch.Generator().manual_seed(0)
    values, logits = (torch.randn(n, WIDTH, generator=generator) for _ in range(2))
    has_classes = extractor.num_classes is not None
    return Features(values, logits if has_classes else None, extractor.name, extractor.weights_hash)
