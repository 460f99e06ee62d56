"""The size to which images of a folder are brought before they are scored: as asked, else as in the scored run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError, compose
from ganvas.config.arguments import fits
from ganvas.data.sources.scored import Fit
from ganvas.scoring.subjects import ModelSubject, Subject


def asked_fit(cfg: DictConfig) -> Fit | None:
    """Read ``size`` and ``resize`` of ``ganvas score``; None without a ``size``.

    Args:
        cfg: the config, composed from ``conf/score.yaml``.

    Raises:
        ConfigError: ``size`` is neither a number nor a height and a width, or no folder of images is scored.
        DataError: there is no such ``resize``.
    """
    if cfg.size is None and cfg.resize is None:
        return None
    if not any(given is not None and Path(given).is_dir() for given in (cfg.source, cfg.reference)):
        raise ConfigError(
            f"size={cfg.size}, resize={cfg.resize}: they are for folders of images, and neither SOURCE nor reference "
            "is one; a data set takes data.size=..., as in reference=folder data.path=DIR data.size=64"
        )
    if cfg.size is None:
        return None
    size: Any = OmegaConf.to_container(cfg.size) if OmegaConf.is_config(cfg.size) else cfg.size
    if not fits(size, int | Sequence[int]):
        raise ConfigError(f"size={size}: expected a number of pixels, or [height,width]; write size=64")
    return Fit(size, cfg.resize or _shipped())


def fit_of_reference(resize: str | None, asked: Fit | None, subject: Subject | None) -> Fit | None:
    """Choose the size of a reference folder: the one asked for, else that of the folder the run was trained on.

    Args:
        resize: name of the rule that was asked for; None leaves the choice open.
        asked: what :func:`asked_fit` returned.
        subject: what is scored; None if the reference is only exported.

    Raises:
        ConfigError: ``resize`` is given without a ``size``, and the run has none.
    """
    own = _of_run(subject)
    if own is None:
        if resize is not None and asked is None:
            raise ConfigError(f"resize={resize}: says how to resize but not to which size; add size=64")
        return asked
    size = own.size if asked is None else asked.size
    return Fit(size, resize or own.resize, own.channels)


def _of_run(subject: Subject | None) -> Fit | None:
    """How a run brought its own images to one size; None if it did not."""
    data = subject.config.data if isinstance(subject, ModelSubject) and subject.config is not None else {}
    return Fit(data["size"], data["resize"], data["channels"]) if "resize" in data else None


def _shipped() -> str:
    """The rule that ``data=folder`` has where nothing else is asked for."""
    return str(compose("train", ["data=folder", "data.path=''"]).data.resize)
