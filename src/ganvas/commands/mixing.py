"""Style mixing: coarse layers of a generator have the styles of one latent, fine layers those of another."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from ganvas.commands.classes import one_label
from ganvas.commands.drawn import SHOWN, Drawn, vector_prior, whole_rows
from ganvas.config import ConfigError
from ganvas.data import pictures
from ganvas.models.modes import evaluating
from ganvas.models.sampling import truncated_styles
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Styled

_CHUNK = 100


def mix(subject: ModelSubject, cfg: DictConfig) -> Drawn:
    """Mix styles: each row has one source of coarse styles, each column one of fine styles.

    The picture shows the sources of the columns above, and those of the rows on the left. The array holds the mixed
    images. Reference: Karras et al. 2019, section 3.1, https://arxiv.org/abs/1812.04948.

    Raises:
        ConfigError: the generator has no styles, or no layer is left for one of the two sources.
    """
    prior, rows, model = vector_prior(subject, cfg), whole_rows(subject, cfg), subject.model
    generator: Any = model.part(model.decoding)
    if not isinstance(generator, Styled):
        raise ConfigError(
            f"kind=mixing: the generator of {cfg.source} has no styles to mix; write --kind interpolation"
        )
    first = generator.styles // 2 if cfg.crossover is None else cfg.crossover
    if not 0 < first < generator.styles:
        raise ConfigError(f"crossover={first}: expected a layer from 1 to {generator.styles - 1}; write crossover=4")
    z = prior.sample(rows + cfg.columns, generator=torch.Generator().manual_seed(cfg.seed)).to(model.device)
    y = one_label(subject, cfg, len(z))
    with torch.no_grad(), evaluating(model):
        w = generator.style(z, None if y is None else y.to(model.device))
        w = w if cfg.truncation is None else truncated_styles(generator, w, cfg.truncation)
        sources = generator.synthesise(w).cpu()
        mixed = mixed_styles(w[:rows], w[rows:], first, generator.styles)
        images = torch.cat([generator.synthesise(chunk).cpu() for chunk in mixed.split(_CHUNK)])
    shown = max(1, min(rows, SHOWN // cfg.columns))
    left = zip(sources[:shown], images.split(cfg.columns), strict=False)
    table = [torch.full_like(sources[:1], -1), sources[rows:], *(torch.cat([a[None], row]) for a, row in left)]
    return Drawn(
        images,
        pictures.grid(torch.cat(table), cfg.columns + 1),
        facts={"crossover": first},
        labels=None if y is None else y[:1].expand(len(images)),
    )


def mixed_styles(coarse: Tensor, fine: Tensor, first: int, layers: int) -> Tensor:
    """Combine each coarse style with each fine one.

    Args:
        coarse: styles of the layers before ``first``, ``(r, d)``.
        fine: styles of the other layers, ``(c, d)``.
        first: first layer with the fine style.
        layers: number of layers.

    Returns:
        One style for each layer, ``(r * c, layers, d)``, row by row.
    """
    is_coarse = (torch.arange(layers, device=coarse.device) < first)[:, None]
    return torch.where(is_coarse, coarse[:, None, None], fine[None, :, None]).flatten(0, 1)
