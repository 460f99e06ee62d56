"""Values of the config that are refused before anything is built: names, seeds, arguments of Lightning's trainer."""

from __future__ import annotations

import re
from typing import Final

from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError, require_counts
from ganvas.data.seeding import require_seed
from ganvas.models.posthoc import exponent
from ganvas.run.request import GROUPS, Job
from ganvas.tracking.also import require_places
from ganvas.tracking.limits import EXPERIMENT

_EXAMPLES: Final = {"model": "gan", "data": "mnist5k", "network": "mlp"}
_STUDY: Final = re.compile(r"(?!\.)[\w.-]{1,100}")
_COUNTS: Final = (
    *("batch_size", "budget.images", "log.every", "checkpoint.every", "grid.every", "grid.rows", "grid.columns"),
    *("ema.every", "score.every", "score.n", "score.n_during"),
)
"""Keys whose values count something. ``batch_size`` comes first: others follow it."""
_REPLACED: Final = {
    "gradient_clip_val": "gradient_clip",
    "gradient_clip_algorithm": "gradient_clip",
    "accumulate_grad_batches": "batch_size",
}
"""Arguments of Lightning's trainer that only automatic optimisation has, each with ganvas's key for the same."""


def refuse(cfg: DictConfig, job: Job) -> None:
    """Refuse values that would fail or mislead after training has begun.

    Args:
        cfg: the composed config of a training.
        job: the request.

    Raises:
        ConfigError: a number, the name of the study, or an argument of the trainer.
        DataError: a seed out of range.
    """
    if lacking := [group for group in GROUPS if group not in job.choices]:
        raise ConfigError(
            f"{lacking[0]}: expected the name of one config; write for example {lacking[0]}={_EXAMPLES[lacking[0]]}"
        )
    if not isinstance(cfg.trainer, DictConfig):
        raise ConfigError(f"trainer={cfg.trainer}: expected arguments of Lightning's Trainer; write trainer.devices=1")
    if not 0 < len(cfg.tracking.experiment.strip()) <= EXPERIMENT:
        raise ConfigError(
            f"tracking.experiment has {len(cfg.tracking.experiment)} characters; expected a name of 1 to {EXPERIMENT}"
        )
    require_places(cfg.tracking.get("also", ()))  # a checkpoint of an older version has no such key
    require_seed("seed", cfg.seed)
    require_seed("score.seed", cfg.score.seed)
    require_seed("score.seed_during", cfg.score.seed_during)
    require_counts(cfg, _COUNTS)
    if cfg.gradient_clip is not None and not cfg.gradient_clip > 0:
        raise ConfigError(f"gradient_clip={cfg.gradient_clip}: expected a norm above 0; write null for no clipping")
    _require_widths(cfg)
    if cfg.init_parts and cfg.init_from is None:
        raise ConfigError(
            f"init_parts={list(cfg.init_parts)}: parts of which checkpoint? write init_from=CHECKPOINT too"
        )
    if cfg.study is not None:
        require_study_name(cfg.study)
    if cfg.trainer.get("deterministic") is not None or (cfg.deterministic and cfg.trainer.get("benchmark")):
        raise ConfigError(
            f"trainer.deterministic={cfg.trainer.get('deterministic')}, "
            f"trainer.benchmark={cfg.trainer.get('benchmark')}: leave both out and write deterministic=true, which "
            "covers the scores too and ends with the training"
        )
    for argument, own in _REPLACED.items():
        if cfg.trainer.get(argument) is not None:
            raise ConfigError(
                f"trainer.{argument}={cfg.trainer[argument]}: players are updated one after the other, which this "
                f"argument of Lightning does not know; write {own}=... instead"
            )


def _require_widths(cfg: DictConfig) -> None:
    for width in OmegaConf.select(cfg, "ema.sigmas") or ():
        try:
            exponent(width)
        except ValueError as error:
            raise ConfigError(f"ema.sigmas: {error}") from error


def require_study_name(name: str) -> None:
    """Refuse a name that cannot be that of a folder, of a tag and of an argument, each unchanged.

    Args:
        name: value of ``study``.

    Raises:
        ConfigError: the name.
    """
    if not _STUDY.fullmatch(name):
        raise ConfigError(
            f"study={name!r}: expected 1 to 100 letters, digits, underscores, hyphens and dots, the first no dot; the "
            "name becomes that of a folder; write for example study=lucic_narrow"
        )
