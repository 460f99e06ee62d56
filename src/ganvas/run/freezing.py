"""Parts of a model that a training leaves as they are, such as the first layers of a critic from another run.

The weights of a frozen part get no gradient and no update. Running statistics of batch normalisation and the vectors of
spectral normalisation in it go on, as in the authors' program, which only switches gradients off.

Reference: Mo et al. 2020 (FreezeD), https://arxiv.org/abs/2002.10964.
"""

from __future__ import annotations

from omegaconf import DictConfig
from torch import nn

from ganvas.config import ConfigError, closest
from ganvas.models import Model


def freeze(cfg: DictConfig, model: Model) -> None:
    """Freeze the parts that ``freeze`` names, in a training that begins and in one that goes on.

    Args:
        cfg: the composed config.
        model: the model to train.

    Raises:
        ConfigError: the model has no such part, the part has no weights, or nothing would be left to train.
    """
    names = cfg.get("freeze") or ()  # a checkpoint of an older version has no such key
    if not names:
        return
    players = {
        player: [weight for group in optimizer.param_groups for weight in group["params"]]
        for player, optimizer in zip(model.players, model.configure_optimizers(), strict=True)
    }
    for name in names:
        part = _part(model, name)
        if not list(part.parameters()):
            raise ConfigError(f"freeze={name}: it has no weights, expected a part with some; leave it out")
        part.requires_grad_(False)
    for player, weights in players.items():
        if not any(weight.requires_grad for weight in weights):
            raise ConfigError(
                f"freeze=[{','.join(names)}] leaves the {player} nothing to train; freeze some of its layers instead"
            )


def _part(model: Model, name: str) -> nn.Module:
    """Find a part by its dotted name; ConfigError with the names beside the one that is missing."""
    first, *others = name.split(".")
    part, path, known = model.networks.get(first), first, list(model.networks)
    for word in others:
        if part is None:
            break
        known = [f"{path}.{child}" for child, _ in part.named_children()]
        part, path = dict(part.named_children()).get(word), f"{path}.{word}"
    if part is None:
        there = f"there are {', '.join(known)}" if known else f"{path.rpartition('.')[0]} has no parts"
        raise ConfigError(f"freeze={name}: the model has no part {path}; {there}{closest(path, known)}")
    return part
