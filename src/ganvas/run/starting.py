"""The weights that a training starts from, besides random ones.

The bias of the output layer can start at the logit of the mean training pixel; whole parts (generator, critic, encoder,
decoder) can come from the checkpoint of another run. Keys and shapes of a part must all fit, and everything is checked
before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float
from omegaconf import DictConfig
from torch import Tensor, nn

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.data.source import Examples
from ganvas.models import Model
from ganvas.objectives import PENALTY_STATE
from ganvas.run.first_stage import check_first_stage, require_run
from ganvas.storage.exported import read_model
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.types import StartsAtMarginals

SPECTRAL: Final = "parametrizations"
_CHUNK: Final = 8192


def start_at_marginals(cfg: DictConfig, data: DataModule, model: Model) -> None:
    """Set the output bias of the network that ``marginal_bias`` names, and restart the averaged weights.

    Args:
        cfg: the composed config.
        data: its training split is averaged.
        model: the model to train.

    Raises:
        ConfigError: the data are points, or the model has no such network, or the network does not end in a logit.
    """
    if cfg.marginal_bias is None:
        return
    if len(data.source.shape) == 1:
        raise ConfigError(
            f"marginal_bias={cfg.marginal_bias}: data={data.source.name} holds points, expected images with pixels in "
            "[0, 255]; write marginal_bias=null"
        )
    network = model.networks.get(cfg.marginal_bias)
    if not isinstance(network, StartsAtMarginals):
        raise ConfigError(
            f"marginal_bias={cfg.marginal_bias}: expected a network whose output is a logit (the decoder of "
            f"network=mlp, the generator of network=maxout), the model has {', '.join(model.networks)} "
            f"of network={cfg.network.name}; "
            "write marginal_bias=null"
        )
    network.start_at(mean_image(data.examples("train")))
    model.restart_averages()


def mean_image(examples: Examples) -> Float[Tensor, " *shape"]:
    """Average all images; pixels of the mean are in [0, 1].

    Args:
        examples: ``uint8`` images.
    """
    chunks = torch.arange(len(examples)).split(_CHUNK)
    total = torch.stack([examples.batch(index).double().sum(0) for index in chunks]).sum(0)
    return (total / (255 * len(examples))).float()


def warm_start(cfg: DictConfig, model: Model) -> None:
    """Load the weights of ``init_from``, all of them or the networks that ``init_parts`` names.

    Args:
        cfg: the composed config.
        model: the model to train; its averaged weights restart from the loaded ones.

    Raises:
        ConfigError: a part that one side lacks or that does not fit, or a first stage that no run is named for.
    """
    if cfg.init_from is None:
        require_run(model)
        return
    if not cfg.init_from.strip():
        raise ConfigError("init_from is empty; write a checkpoint or a run id")
    checkpoint = read_model(checkpoint_path(cfg.init_from, "init_from"))
    check_first_stage(cfg, model, checkpoint.get("config"))
    try:
        load_parts(model.networks, checkpoint["state_dict"], cfg.init_parts)
    except ValueError as error:
        raise ConfigError(f"init_from={cfg.init_from}: {error}") from error
    model.restart_averages()


def load_parts(
    modules: Mapping[str, nn.Module], state: Mapping[str, Tensor], parts: Sequence[str] | None
) -> tuple[str, ...]:
    """Load parts of a Lightning module's ``state_dict``.

    Args:
        modules: parts of the new model by name.
        state: state dict of the old model; keys start with ``<part>.``.
        parts: names of the parts to load; None loads all that both sides have.

    Returns:
        Names of the loaded parts.

    Raises:
        ValueError: a part that one side lacks, or one whose keys or shapes differ.
    """
    names = _shared(modules, state) if parts is None else tuple(parts)
    stored = {name: _without_penalties(_part(modules, state, name)) for name in names}
    for name, weights in stored.items():
        _check(name, _without_penalties(modules[name].state_dict()), weights)
    for name, weights in stored.items():
        modules[name].load_state_dict(modules[name].state_dict() | weights)
    return names


def _without_penalties(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what penalties keep in a network: another training has other ones, and begins them anew."""
    return {key: value for key, value in part.items() if key not in PENALTY_STATE}


def _names(state: Mapping[str, Tensor]) -> list[str]:
    return sorted({key.partition(".")[0] for key in state if "." in key})


def _shared(modules: Mapping[str, nn.Module], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    stored = _names(state)
    shared = tuple(name for name in modules if name in stored)
    if not shared:
        raise ValueError(
            f"warm start: the checkpoint has the parts {stored}, the model has {sorted(modules)}: none in common. "
            "Fix: start from a run of the same family (GAN and WGAN, or VAE)."
        )
    return shared


def _part(modules: Mapping[str, nn.Module], state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    stored = _names(state)
    if name not in modules or name not in stored:
        both = sorted(set(modules).intersection(stored))
        raise ValueError(
            f"warm start: part '{name}' is missing; the checkpoint has {stored}, the model has {sorted(modules)}. "
            f"Fix: choose from {both}."
        )
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _check(name: str, wanted: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Refuse a part whose keys or shapes differ from the model's."""
    if wanted.keys() != stored.keys():
        _refuse_keys(name, sorted(wanted.keys() - stored.keys()), sorted(stored.keys() - wanted.keys()))
    for key, value in wanted.items():
        if value.shape != stored[key].shape:
            raise ValueError(
                f"warm start: part '{name}', key '{key}': the checkpoint has shape {tuple(stored[key].shape)}, the "
                f"model {tuple(value.shape)}. Fix: use the network, data shape and prior.dim of the checkpoint, or "
                f"leave the part '{name}' out."
            )


def _refuse_keys(name: str, missing: list[str], surplus: list[str]) -> None:
    if any(SPECTRAL in key for key in missing) != any(SPECTRAL in key for key in surplus):
        fix = "one side has spectral normalisation and the other has not: use it on both"
    else:
        fix = "use the network (and packing) of the checkpoint"
    raise ValueError(
        f"warm start: part '{name}' differs: the checkpoint lacks {_few(missing)} and has {_few(surplus)} in surplus. "
        f"Fix: {fix}, or leave the part '{name}' out."
    )


def _few(keys: list[str], limit: int = 3) -> str:
    if not keys:
        return "nothing"
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(f"'{key}'" for key in keys[:limit]) + more
