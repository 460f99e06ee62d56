"""Checks that data, model and extractor fit each other, before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.extractors.base import Extractor
from ganvas.metrics.registry import frechet_name, standard_metrics
from ganvas.models import Model, Sampling
from ganvas.models.accumulation import require_parts
from ganvas.models.scheduled import ScheduleError
from ganvas.scoring.refitting import require_codes, sampler_of


def check_fit(cfg: DictConfig, data: DataModule, model: Model, extractors: Sequence[Extractor]) -> None:
    """Refuse combinations that would fail or mislead after training has begun.

    Args:
        cfg: the composed config.
        data: the data to train on.
        model: the model to train.
        extractors: extract features for scores; without one no images are scored.

    Raises:
        ConfigError: two parts do not fit; names both and a fix.
    """
    shape = data.source.shape
    if tuple(model.shape) != shape:
        raise ConfigError(
            f"the model is built for examples of shape {tuple(model.shape)}, data={data.source.name} has {shape}; "
            "write shape: ${data.shape} in the network"
        )
    if cfg.batch_size % model.pack:
        raise ConfigError(
            f"batch_size={cfg.batch_size} is no multiple of pack={model.pack}; write batch_size={model.pack * 32}"
        )
    try:
        require_parts("batch_size", cfg.batch_size, model.accumulate, model.pack)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if cfg.batch_size > (n := len(data.examples("train"))):
        raise ConfigError(f"batch_size={cfg.batch_size}: data={data.source.name} has {n} training images; lower it")
    _check_classes(data, model)
    _check_sampling(cfg, model)
    _check_optimizers(model)
    for extractor in extractors:
        _check_extractor(shape, extractor)
    if extractors and cfg.score.select is not None:
        _check_selection(cfg, extractors[0])
    if cfg.score.every is not None and extractors and "val" not in data.source.splits:
        raise ConfigError(
            f"score.every={cfg.score.every} scores against the val split, which data={data.source.name} lacks; "
            "hold images out with data.val=N, or write score.every=null"
        )


def _check_classes(data: DataModule, model: Model) -> None:
    """Refuse a conditional network where the data have no labels, or labels of another number of classes."""
    if model.classes is None:
        return
    labels = data.examples("train").labels
    if labels is None:
        raise ConfigError(
            f"the network is conditional on {model.classes} classes, data={data.source.name} has no labels; "
            "choose a data set with classes, or a network without"
        )
    # Where the source does not name its classes, the last ones may have no example.
    known, seen = data.source.classes, int(labels.max()) + 1
    if seen > model.classes or (known is not None and len(known) != model.classes):
        raise ConfigError(
            f"the network is conditional on {model.classes} classes, data={data.source.name} has "
            f"{seen if known is None else len(known)}; give the network as many"
        )


def final_sampling(cfg: DictConfig) -> Sampling:
    """Read the options by which the samples of the final scores are drawn.

    Args:
        cfg: the composed config of a training.

    Raises:
        ConfigError: a value out of range.
    """
    try:
        return Sampling(standing=cfg.score.get("standing"))  # a checkpoint of an older version has no such key
    except ValueError as error:
        raise ConfigError(f"score.{error}") from error


def _check_sampling(cfg: DictConfig, model: Model) -> None:
    try:
        model.require(final_sampling(cfg))
    except ValueError as error:
        raise ConfigError(f"score.{error}") from error
    if (sampler := sampler_of(cfg)) is not None:
        require_codes(model, sampler)


def _check_optimizers(model: Model) -> None:
    try:
        model.configure_optimizers()
    except ScheduleError as error:
        raise ConfigError(str(error)) from error
    except (TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"optimizer: {error}; write only arguments that its class takes") from error


def _check_selection(cfg: DictConfig, extractor: Extractor) -> None:
    frechet = frechet_name(extractor.name)
    known = {"fd", *standard_metrics(extractor.name, extractor.num_classes is not None)}
    if cfg.score.select not in known:
        raise ConfigError(
            f"score.select={cfg.score.select} is no score that training with extractor={extractor.name} has; "
            f"write one of {', '.join(sorted(known))} (fd is {frechet} there), or null"
        )
    if cfg.score.seed == cfg.score.seed_during:
        raise ConfigError(
            f"score.seed={cfg.score.seed} is score.seed_during too: the best checkpoint would be reported on the "
            f"latents that it was chosen by; write score.seed={cfg.score.seed + 1}"
        )


def _check_extractor(shape: tuple[int, ...], extractor: Extractor) -> None:
    if len(shape) != 3:
        raise ConfigError(
            f"extractor={extractor.name} reads images, the data are points of shape {shape}; write extractor=none"
        )
    try:
        extractor.check(torch.zeros(1, *shape, dtype=torch.uint8))
    except ValueError as error:
        raise ConfigError(f"{error}; or write extractor=none") from error
