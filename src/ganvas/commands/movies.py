"""Kinds of ``ganvas sample`` that move: a walk through the latents, and the training as seen from the same noise."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from ganvas.commands.classes import labels
from ganvas.commands.drawn import SHOWN, Drawn, require_images, vector_prior
from ganvas.config import ConfigError
from ganvas.data import pictures
from ganvas.scoring.subjects import ModelSubject
from ganvas.tracking.grids import logged_grids
from ganvas.types import Prior

_LEG: Final = 16
"""Frames from one draw of the prior to the next."""
_MILLISECONDS: Final = 100
_LAST_MILLISECONDS: Final = 2000


def walk(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Walk through draws of the prior and back to the start: ``n`` frames of ``columns`` walks side by side."""
    require_images(subject, cfg)
    prior, generator = vector_prior(subject, cfg), torch.Generator().manual_seed(cfg.seed)
    walks = torch.stack([closed_walk(prior, cfg.n, generator) for _ in range(cfg.columns)], 1)
    y = labels(subject, cfg, cfg.columns)
    every = y if y is None else y.repeat(cfg.n)
    examples = subject.decoded(walks.flatten(0, 1), every)
    frames = torch.stack([pictures.grid(frame, cfg.columns) for frame in examples.split(cfg.columns)])
    picture = pictures.grid(examples[: SHOWN // cfg.columns * cfg.columns or cfg.columns], cfg.columns)
    return Drawn(examples, picture, frames, {"frames": cfg.n}, every)


def closed_walk(prior: Prior, frames: int, generator: torch.Generator) -> Tensor:
    """Make the latents of a walk whose end leads to its start, ``(frames, d)``.

    Args:
        prior: distribution of the draws that the walk passes.
        frames: number of latents.
        generator: draws from the prior.
    """
    count = max(2, round(frames / _LEG))
    draws = prior.sample(count, generator=generator)
    at = torch.arange(frames) * (count / frames)
    legs = [prior.between(draws[leg], draws[(leg + 1) % count], at[at.floor() == leg] - leg) for leg in range(count)]
    return torch.cat(legs)


def training(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Show the grids that the run logged, one after the other; the array holds samples of the final weights.

    Raises:
        RecordError: the store does not have the run.
        ConfigError: the run has less than two grids.
    """
    grids = logged_grids(str(subject.origin.get("run_id", "")))
    sizes = [picture.size for picture in grids.values()]
    # A run that was continued with other rows or columns has grids of two sizes.
    same = {step: picture for step, picture in grids.items() if picture.size == sizes[-1]}
    if len(same) < 2:
        raise ConfigError(f"kind={cfg.kind}: the run of {cfg.source} logged {len(same)} grids, expected at least 2")
    frames = torch.stack([torch.from_numpy(np.array(picture)) for picture in same.values()]).permute(0, 3, 1, 2)
    y = labels(subject, cfg, cfg.n)
    examples = subject.sample(cfg.n, cfg.seed, y)
    return Drawn(examples, frames[-1], frames, {"frames": len(frames), "frames_images_seen": list(same)}, y)


def write_gif(path: Path, frames: Tensor) -> None:
    """Write a GIF that repeats, its last frame shown longer.

    Args:
        path: the file.
        frames: ``uint8 (t, 3, h, w)``.
    """
    first, *others = [Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy()) for frame in frames]
    durations = [_MILLISECONDS] * len(others) + [_LAST_MILLISECONDS]
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0)
