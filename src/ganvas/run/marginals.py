"""Starting from the data's marginals: the bias of an output layer at the logit of the mean training pixel."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.data.source import Examples
from ganvas.models import Model
from ganvas.types import StartsAtMarginals

_CHUNK = 8192


def start_at_marginals(cfg: DictConfig, data: DataModule, model: Model) -> None:
    """Set the output bias of the network that ``marginal_bias`` names; averaged weights begin anew from it.

    Args:
        cfg: the composed config.
        data: whose training split is averaged.
        model: to be trained.

    Raises:
        ConfigError: the model has no such network, or it does not end in a logit.
    """
    if cfg.marginal_bias is None:
        return
    network: Any = getattr(model, cfg.marginal_bias) if cfg.marginal_bias in model.parts else None
    if not isinstance(network, StartsAtMarginals):
        raise ConfigError(
            f"marginal_bias={cfg.marginal_bias}: expected a network whose output is a logit (the decoder of "
            f"network=mlp, the generator of network=maxout), the model has {', '.join(model.parts)} "
            f"of network={cfg.network.name}; "
            "write marginal_bias=null"
        )
    network.start_at(mean_image(data.examples("train")))
    model.restart_averages()


def mean_image(examples: Examples) -> Tensor:
    """The mean of all images, pixels in [0, 1].

    Args:
        examples: images at rest.
    """
    chunks = torch.arange(len(examples)).split(_CHUNK)
    total = torch.stack([examples.batch(index).double().sum(0) for index in chunks]).sum(0)
    return (total / (255 * len(examples))).float()
