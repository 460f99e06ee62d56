"""``ganvas score``: score a run, a checkpoint or images against a reference; several are compared."""

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

from ganvas.commands.carried import carried
from ganvas.commands.scored import Scored
from ganvas.config import CONFIG_PATH, ConfigError, closest, require_counts
from ganvas.data.seeding import require_seed
from ganvas.data.sources.scored import Fit
from ganvas.display import stages_shown
from ganvas.extractors.base import Extractor
from ganvas.metrics.registry import GROUPS, metrics
from ganvas.scoring.export import export_only, export_reference
from ganvas.scoring.fitting import asked_fit, fit_of_reference
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Asked
from ganvas.scoring.opened import Opened
from ganvas.scoring.recording import log_found
from ganvas.scoring.references import Reference
from ganvas.scoring.refitting import refitted, sampler_of
from ganvas.scoring.settings import settings_from
from ganvas.scoring.several import Measurements
from ganvas.scoring.subjects import ModelSubject, Subject, device_of, open_subject, sampling_of
from ganvas.scoring.table import print_scores
from ganvas.storage.atomic import write_json
from ganvas.storage.store import Store


@hydra.main(config_path=CONFIG_PATH, config_name="score", version_base="1.3")
@carried
def main(cfg: DictConfig) -> None:
    """Score the source; Hydra calls it with the composed config."""
    score(cfg, Path(HydraConfig.get().runtime.output_dir), Console())


def score(cfg: DictConfig, output: Path, console: Console) -> dict[str, Any]:
    """Measure, print, write and log the scores of one source, or of several, which are compared.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        output: folder for ``result.json``, pictures and arrays.
        console: prints the table.

    Returns:
        The content of ``result.json``.

    Raises:
        ConfigError: a source cannot be scored as requested, or two sources cannot be compared.
        DataError: images cannot be read.
        StoreError: the run's MLflow store did not accept the scores.
    """
    if cfg.sources or cfg.table:
        from ganvas.commands.several import score_several  # it brings MLflow, matplotlib and pandas

        return score_several(cfg, output, console, scored)
    found = scored(cfg, output, console, Opened())
    if found.title:
        print_scores(found.title, found.found, console)
    return found.result


def scored(cfg: DictConfig, output: Path, console: Console, opened: Opened, compared: bool = False) -> Scored:
    """Measure, write and log the scores of one source.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.
        output: folder for ``result.json``, pictures and arrays.
        console: shows the progress.
        opened: what sources of the same command have opened.
        compared: whether to compute what the comparison with another source needs.

    Raises:
        ConfigError: the source cannot be scored as requested.
        DataError: images cannot be read.
        StoreError: the run's MLflow store did not accept the scores.
    """
    with _bad_input():
        names = None if cfg.metrics is None else list(cfg.metrics)
        _check_names(names)
        require_counts(cfg, ("n", "batch_size", "on_disk", "processes"))
        require_seed("seed", cfg.seed)
        if cfg.export_format is not None and not cfg.export_reference:
            raise ConfigError(f"export_format={cfg.export_format}: write export_reference=FILE too, or leave it out")
        device = device_of(cfg.device)
        asked = _asked(cfg, output)
        fit = asked_fit(cfg)
        subject = _subject(cfg, device, fit, opened)
        reference = opened.reference(cfg, subject, fit_of_reference(cfg.resize, fit, subject))
        extractors = opened.extractors(_node(cfg, subject, reference), device)
        if subject is None:
            return Scored("", export_only(cfg, reference, _the_one(cfg, extractors), output), Found(), {})
        if cfg.export_reference:
            export_reference(cfg, reference, _the_one(cfg, extractors))
        cache = Store(Path(cfg.paths.cache).expanduser())
        with stages_shown(subject.name, console):
            measurements = Measurements(subject, reference, extractors, asked, cache)
            found = measurements.of(names)
            replicates = measurements.replicates(found, cfg.groups) if compared else {}
    result = {"source": cfg.source, "reference": reference.name, **found.as_dict(), "output": str(output.absolute())}
    path = output / "result.json"
    write_json(path, result)
    if isinstance(subject, ModelSubject) and subject.run_id is not None:
        log_found(subject.run_id, found, subject.images_seen, path)
    return Scored(f"{subject.name} against {reference.name} ({reference.split})", result, found, replicates)


def _asked(cfg: DictConfig, output: Path) -> Asked:
    large = {"on_disk": cfg.on_disk, "processes": cfg.processes}
    return Asked(settings_from(cfg), cfg.n, cfg.seed, cfg.batch_size, cfg.calibration, cfg.ceiling, output, **large)


def _check_names(names: list[str] | None) -> None:
    """Raise ConfigError for an unknown metric, before anything is read."""
    known = [*metrics(), *GROUPS]
    for name in names or ():
        if name not in known:
            raise ConfigError(f"metrics: {name} is unknown{closest(name, known)} Known are {', '.join(known)}")
    if names is not None and not names:
        raise ConfigError("metrics=[] names no metric; leave it out for the standard metrics")


def _subject(cfg: DictConfig, device: torch.device, fit: Fit | None, opened: Opened) -> Subject | None:
    """Open the source; None if only the reference is exported."""
    if cfg.source is None and cfg.export_reference:
        return None
    subject = open_subject(cfg.source, device, cfg.trust, fit, sampling_of(cfg), opened.data)
    sampler = sampler_of(cfg)
    if isinstance(subject, ModelSubject):
        return refitted(subject, sampler)
    if sampler is not None:
        raise ConfigError(f"sampler={sampler.name}: {cfg.source} holds images, expected a model; leave sampler out")
    return subject


def _node(cfg: DictConfig, subject: Subject | None, reference: Reference) -> Any:
    """Find the config of the requested extractors, else of those of the model, else of that of the reference data set.

    Images scored against images have no default extractor.
    """
    if cfg.extractor is not None:
        return cfg.extractor
    if isinstance(subject, ModelSubject) and subject.config is not None:
        return subject.config.extractor
    if reference.config is not None:
        return reference.config.extractor
    raise ConfigError(
        f"no extractor for {(subject or reference).name}; write extractor=inception, or mnist for 28x28 grey digits"
    )


def _the_one(cfg: DictConfig, extractors: tuple[Extractor, ...]) -> Extractor | None:
    """Return the extractor whose statistics are exported; None without one."""
    if len(extractors) > 1:
        names = ",".join(extractor.name for extractor in extractors)
        raise ConfigError(
            f"export_reference={cfg.export_reference}: a file holds the statistics of one extractor, got "
            f"extractor=[{names}]; write extractor={extractors[0].name}"
        )
    return extractors[0] if extractors else None


@contextmanager
def _bad_input() -> Iterator[None]:
    """Turn a metric's ValueError into a ConfigError (exit code 2) and keep its message."""
    try:
        yield
    except ValueError as error:
        if hasattr(error, "exit_code"):
            raise
        raise ConfigError(str(error)) from error
