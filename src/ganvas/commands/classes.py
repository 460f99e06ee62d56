"""The classes that ``ganvas sample --classes`` asks for, by number or by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.scoring.subjects import ModelSubject


def chosen(subject: ModelSubject, cfg: DictConfig) -> list[int] | None:
    """Find the numbers of the classes that ``cfg.classes`` names; None if it names none.

    The data of the training are opened only for a name.

    Args:
        subject: the model.
        cfg: the config of ``ganvas sample``.

    Raises:
        ConfigError: the model is not conditional, or has no such class.
    """
    if cfg.classes is None:
        return None
    if subject.model.classes is None:
        raise ConfigError(f"classes={cfg.classes}: the model of {cfg.source} is not conditional; leave classes out")
    words = list(cfg.classes) if OmegaConf.is_list(cfg.classes) else str(cfg.classes).split(",")
    found = [_number(subject, str(word).strip(), subject.model.classes) for word in words]
    if not found:
        raise ConfigError("classes=[]: expected at least one; write --classes 0")
    return found


def labels(subject: ModelSubject, cfg: DictConfig, n: int) -> Int64[Tensor, " n"] | None:
    """Choose the class of each of ``n`` examples or rows: the chosen ones in turn, else as often as in the data.

    Args:
        subject: the model.
        cfg: the config of ``ganvas sample``.
        n: number of labels.

    Returns:
        The labels; None for a model that is not conditional.
    """
    classes = chosen(subject, cfg)
    if classes is None:
        return subject.model.draw_labels(n, cfg.seed)
    return torch.tensor(classes)[torch.arange(n) % len(classes)]


def one_label(subject: ModelSubject, cfg: DictConfig, rows: int) -> Int64[Tensor, " n"] | None:
    """Choose one class for all rows of a picture in which latents move.

    Args:
        subject: the model.
        cfg: the config of ``ganvas sample``.
        rows: number of rows.

    Raises:
        ConfigError: several classes are chosen.
    """
    if len(chosen(subject, cfg) or ()) > 1:
        raise ConfigError(f"classes={cfg.classes}: kind={cfg.kind} keeps one class; write --classes with one of them")
    label = labels(subject, cfg, 1)
    return None if label is None else label.expand(rows)


def refuse_classes(cfg: DictConfig) -> None:
    """Refuse classes for a kind whose examples have the classes of held-out images.

    Raises:
        ConfigError: classes are chosen.
    """
    if cfg.classes is not None:
        raise ConfigError(
            f"classes={cfg.classes}: kind={cfg.kind} takes held-out images with their own classes; leave it out"
        )


def _number(subject: ModelSubject, word: str, classes: int) -> int:
    if word.isdecimal():
        if int(word) < classes:
            return int(word)
        raise ConfigError(f"classes: got {word}, expected a number from 0 to {classes - 1}, or a name")
    names: Sequence[str] = subject.data.source.classes or ()
    if word not in names:
        known = f", which has {', '.join(names[:20])}" if names else ", which does not name its classes"
        raise ConfigError(
            f"classes: got {word!r}, expected numbers from 0 to {classes - 1}, or names of data="
            f"{subject.data.source.name}{known}"
        )
    return names.index(word)
