"""``ganvas score``: a run, a checkpoint or images against a reference, top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from ganvas.config import CONFIG_PATH, ConfigError, build
from ganvas.extractors.base import Extractor
from ganvas.health.findings import health_metrics, health_tags
from ganvas.scoring.export import export_only, export_reference
from ganvas.scoring.found import Found
from ganvas.scoring.measures import check_names, measure
from ganvas.scoring.references import Reference, find_reference
from ganvas.scoring.stand_ins import check_ceiling
from ganvas.scoring.subjects import ModelSubject, Subject, device_of, open_subject
from ganvas.scoring.table import print_scores
from ganvas.scoring.task import Task
from ganvas.storage.atomic import write_json
from ganvas.tracking.log_scores import PROTOCOL_TAG, log_scores


@hydra.main(config_path=CONFIG_PATH, config_name="score", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Hydra's entry."""
    score(cfg, Path(HydraConfig.get().runtime.output_dir))


def score(cfg: DictConfig, output: Path) -> dict[str, Any]:
    """Measure, show, write and log the scores of one source.

    Args:
        cfg: root of ``conf/score.yaml``.
        output: folder for ``result.json``, pictures and arrays.

    Returns:
        What ``result.json`` holds.

    Raises:
        ConfigError: something that cannot be scored as asked.
        DataError: images that cannot be read.
        StoreError: scores that the run's store did not take.
    """
    with _bad_input():
        check_names(cfg.metrics)
        check_ceiling(cfg.ceiling)
        device = device_of(cfg.device)
        subject = None if cfg.source is None and cfg.export_reference else open_subject(cfg.source, device)
        reference = find_reference(cfg, subject)
        extractor = _extractor(cfg, subject, reference, device)
        if subject is None:
            return export_only(cfg, reference, extractor, output)
        if cfg.export_reference:
            export_reference(cfg, reference, extractor)
        task = Task(cfg, subject, reference, extractor, build(cfg.settings), output)
        found = measure(task, cfg.metrics)
    print_scores(task, found, Console())
    result = {"source": cfg.source, "reference": reference.name, **found.as_dict(), "output": str(output.absolute())}
    path = output / "result.json"
    write_json(path, result)
    if isinstance(subject, ModelSubject) and subject.run_id is not None:
        _log(subject.run_id, found, subject.images_seen, path)
    return result


def _extractor(
    cfg: DictConfig, subject: Subject | None, reference: Reference, device: torch.device
) -> Extractor | None:
    """The one asked for, else the one that model or data set come with; images against images name theirs."""
    if cfg.extractor is not None:
        node = cfg.extractor
    elif isinstance(subject, ModelSubject):
        node = subject.config.extractor
    elif reference.config is not None:
        node = reference.config.extractor
    else:
        raise ConfigError(
            f"no extractor for {(subject or reference).name}; write extractor=inception, or mnist for 28x28 grey digits"
        )
    extractor: Extractor | None = build(node) or None
    return None if extractor is None else extractor.to(device)


def _log(run_id: str, found: Found, step: int, path: Path) -> None:
    values = {key: score.value for key, score in found.scores.items()}
    tags = {PROTOCOL_TAG: found.fingerprint()}
    tags |= {f"{PROTOCOL_TAG}.{key}": digits for key, digits in found.fingerprints().items()}
    tags |= health_tags(found.findings)
    values |= health_metrics(found.findings)
    log_scores(run_id, values, tags, (path, *found.files), step)


@contextmanager
def _bad_input() -> Iterator[None]:
    """What a metric refuses is the caller's turn, told in the metric's own words."""
    try:
        yield
    except ValueError as error:
        if hasattr(error, "exit_code"):
            raise
        raise ConfigError(str(error)) from error


if __name__ == "__main__":
    main()
