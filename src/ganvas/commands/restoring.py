"""Kinds of ``ganvas sample`` that restore held-out images: the model's most probable image behind a corrupted one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import torch
from omegaconf import DictConfig
from torch import Tensor

from ganvas.commands.classes import refuse_classes
from ganvas.commands.drawn import BATCH, SHOWN, Drawn, require_images, vector_prior
from ganvas.config import ConfigError, require_counts
from ganvas.data import pictures
from ganvas.data.corruptions import Coarse, Corruption, Hole, Noise, Nothing
from ganvas.metrics.psnr import psnr
from ganvas.metrics.reconstruction import unit_range
from ganvas.metrics.ssim import LEAST, ssim
from ganvas.models.inversion import most_probable
from ganvas.models.modes import evaluating, frozen
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Batch, Encodes

MISFIT: Final = 0.1
"""Standard deviation of what the model cannot show of an image, in units of an image in [-1, 1]: ours, and the least
noise that a restoration counts with."""

CORRUPTIONS: Final[Mapping[str, Callable[[DictConfig], Corruption]]] = MappingProxyType(
    {
        "invert": lambda restore: Nothing(),
        "inpaint": lambda restore: Hole(restore.hole),
        "denoise": lambda restore: Noise(restore.noise),
        "superres": lambda restore: Coarse(restore.factor),
    }
)
"""The corruption of each kind, from the node ``restore`` of ``conf/sample.yaml``."""


def restore(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Corrupt held-out images and restore them; the array holds the restored images.

    The picture shows each image corrupted, restored and as it was, with PSNR and SSIM of the restored one beside it.

    Raises:
        ConfigError: the data are points or too small, or a number is out of range.
    """
    require_images(subject, cfg)
    refuse_classes(cfg)
    vector_prior(subject, cfg)
    require_counts(cfg, ("restore.steps", "restore.starts"))
    if min(subject.shape[1:]) < LEAST or not cfg.restore.lr > 0:
        raise ConfigError(
            f"kind={cfg.kind}: images of shape {subject.shape} and restore.lr={cfg.restore.lr}, expected sides of at "
            f"least {LEAST} pixels and a step size above 0"
        )
    try:
        corruption = CORRUPTIONS[cfg.kind](cfg.restore)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    batch = subject.data.some(subject.data.source.report_split, cfg.n)
    generator = torch.Generator().manual_seed(cfg.seed)
    observed = corruption.observe(batch.x, generator)
    seen = corruption.shown(observed, batch.x)
    parts = zip(batch.split(BATCH), observed.split(BATCH), seen.split(BATCH), strict=True)
    made = torch.cat([_restored(subject, cfg, corruption, *part, generator) for part in parts])
    labels = None if subject.model.classes is None else batch.y
    return replace(_drawn(seen, made, batch.x, cfg.columns), labels=labels)


def _restored(
    subject: ModelSubject,
    cfg: DictConfig,
    corruption: Corruption,
    true: Batch,
    observed: Tensor,
    seen: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Restore one batch from what was observed; of ``true``, only the classes are read."""
    model, prior, runs, n = subject.model, vector_prior(subject, cfg), cfg.restore.starts, len(observed)
    starts = prior.sample(runs * n, generator=generator).view(runs, n, -1).to(model.device)
    y = None if true.y is None else true.y.to(model.device)
    if isinstance(model, Encodes):
        ((means, _),) = model.posterior_moments([Batch(seen, true.y, true.index)])
        starts[0] = means
    labels, sd = None if y is None else y.repeat(runs), max(corruption.noise, MISFIT)
    with evaluating(model), frozen(model):
        z = most_probable(
            lambda z: model.decode(z, labels),
            corruption.apply,
            observed.to(model.device),
            sd,
            prior,
            starts,
            steps=cfg.restore.steps,
            lr=cfg.restore.lr,
        )
    return model.decoded(z, y).cpu()


def _drawn(seen: Tensor, made: Tensor, true: Tensor, columns: int) -> Drawn:
    """Put corrupted, restored and true images side by side, with the quality of each."""
    before, after = quality(seen, true), quality(made, true)
    captions = [f"{p:.1f} dB\n{s:.2f}" for p, s in zip(after["psnr"], after["ssim"], strict=True)]
    picture = pictures.captioned([seen[:SHOWN], made[:SHOWN], true[:SHOWN]], captions, max(1, columns // 4))
    facts = {
        name: {"corrupted": _finite(before[name].mean()), "restored": _finite(after[name].mean())} for name in before
    }
    return Drawn(made, picture, facts=facts)


def quality(made: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Compute PSNR (dB) and SSIM of each image, with values outside [-1, 1] clipped as in a file.

    Args:
        made: images in [-1, 1], ``(n, c, h, w)``.
        true: the images that they should be.
    """
    pair = unit_range(made), unit_range(true)
    return {"psnr": psnr(*pair), "ssim": ssim(*pair)}


def _finite(value: Tensor) -> float | None:
    """Return None for an infinite PSNR, that of an image with itself: JSON has no infinity."""
    return float(value) if value.isfinite() else None
