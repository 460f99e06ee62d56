"""The reference's mean and covariance as a file, with or without something to score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.extractors.base import Extractor
from ganvas.scoring.cache import Part, kept_features
from ganvas.scoring.references import Reference
from ganvas.scoring.statistics_file import save_statistics
from ganvas.storage.atomic import write_json
from ganvas.storage.store import Store


def export_reference(cfg: DictConfig, reference: Reference, extractor: Extractor | None) -> Path:
    """Write the moments of the reference's features to ``cfg.export_reference``.

    Args:
        cfg: root of ``conf/score.yaml``.
        reference: images; a file of statistics is one already.
        extractor: of the features.

    Returns:
        The file.

    Raises:
        ConfigError: no extractor, or no images.
    """
    path = Path(cfg.export_reference)
    if extractor is None or reference.statistics is not None:
        raise ConfigError(
            f"export_reference={path}: needs images and an extractor, reference={reference.name} has not both; "
            "write reference=DATASET|FOLDER|FILE.npz extractor=inception"
        )
    examples = reference.examples(reference.split, "export_reference")
    cache = Store(Path(cfg.paths.cache).expanduser())
    features = kept_features(
        cache, extractor, Part(examples, torch.arange(len(examples)), reference.split), cfg.batch_size
    )
    save_statistics(path, features, preprocessing=extractor.preprocessing, images=examples.fingerprint())
    return path


def export_only(cfg: DictConfig, reference: Reference, extractor: Extractor | None, output: Path) -> dict[str, Any]:
    """The export where there is nothing to score.

    Args:
        cfg: root of ``conf/score.yaml``.
        reference: images.
        extractor: of the features.
        output: folder for ``result.json``.

    Returns:
        What ``result.json`` holds.
    """
    path = export_reference(cfg, reference, extractor)
    result = {"reference": reference.name, "split": reference.split, "exported": str(path.absolute())}
    write_json(output / "result.json", result)
    print(f"mu and sigma of {reference.name} ({reference.split}) are in {path}")
    return result
