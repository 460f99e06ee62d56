"""Writes statistics of the reference's features to a file, with or without a source to score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.extractors.base import Extractor
from ganvas.extractors.on_disk import Extraction
from ganvas.scoring.cache import Part, kept_features
from ganvas.scoring.references import Reference
from ganvas.scoring.statistics_file import format_to_write, save_statistics
from ganvas.storage.atomic import write_json
from ganvas.storage.store import Store


def export_reference(cfg: DictConfig, reference: Reference, extractor: Extractor | None) -> Path:
    """Write statistics of the reference's features to ``cfg.export_reference``.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        reference: reference with images.
        extractor: extractor of the features.

    Returns:
        Path of the file.

    Raises:
        ConfigError: there is no extractor, or the reference is already a file of statistics.
        ValueError: the file cannot be written in the requested format.
    """
    path = Path(cfg.export_reference)
    if extractor is None or reference.statistics is not None:
        raise ConfigError(
            f"export_reference={path}: needs an extractor and images, reference={reference.name} lacks one of them; "
            "write reference=DATASET|FOLDER|FILE.npz extractor=inception"
        )
    form = format_to_write(path, cfg.export_format)
    examples = reference.examples(reference.split, "export_reference")
    cache = Store(Path(cfg.paths.cache).expanduser())
    how = Extraction(cfg.batch_size, cfg.on_disk, cfg.processes)
    part = Part(examples, torch.arange(len(examples)), reference.split, how.halves(len(examples)))
    features = kept_features(cache, extractor, part, how)
    save_statistics(path, features, preprocessing=extractor.preprocessing, images=examples.fingerprint(), form=form)
    return path


def export_only(cfg: DictConfig, reference: Reference, extractor: Extractor | None, output: Path) -> dict[str, Any]:
    """Export the reference if there is no source to score.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        reference: reference with images.
        extractor: extractor of the features.
        output: folder for ``result.json``.

    Returns:
        The content of ``result.json``.
    """
    path = export_reference(cfg, reference, extractor)
    result = {"reference": reference.name, "split": reference.split, "exported": str(path.absolute())}
    write_json(output / "result.json", result)
    print(f"statistics of {reference.name} ({reference.split}) are in {path}")
    return result
