"""A model that draws latents from a distribution fitted to codes of its training images, not from its prior."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from ganvas.config import ConfigError, build_as
from ganvas.latents import LatentSampler
from ganvas.models import Model
from ganvas.models.sampling import SAMPLE_BATCH, Fitted
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import DrawsCodes, Prior


def require_codes(model: Model, sampler: LatentSampler) -> DrawsCodes:
    """Return the model, if it has codes that a sampler can be fitted to.

    Args:
        model: the model.
        sampler: the sampler, for the message.

    Raises:
        ConfigError: the model has no encoder, or its codes lie on a sphere, in a grid, or among categories.
    """
    prior = model.prior
    if not isinstance(model, DrawsCodes) or not isinstance(prior, Prior) or prior.space not in ("reals", "cube"):
        raise ConfigError(
            f"sampler={sampler.name}: expected a VAE or autoencoder whose latents are any real vectors, got "
            f"{type(model).__name__} with {type(prior).__name__}; leave sampler out"
        )
    return model


def refitted(subject: ModelSubject, sampler: LatentSampler | None) -> ModelSubject:
    """Return the same model with latents drawn from a fitted distribution; the subject itself without a sampler.

    The codes are those of the training split, by the weights that the model has now.

    Args:
        subject: the model and its training data.
        sampler: fits the distribution; None leaves the prior.

    Raises:
        ConfigError: see :func:`require_codes`, or truncation is asked for too.
        DataError: the training data cannot be read.
    """
    if sampler is None:
        return subject
    model, images = require_codes(subject.model, sampler), min(sampler.images, len(subject.data.examples("train")))
    codes = model.codes(subject.data.held_out("train", images, SAMPLE_BATCH), sampler.seed)
    fitted = Fitted(sampler.fit(codes), {**sampler.stated(), "images": images})
    other = copy.copy(subject)
    try:
        other.sampling = replace(subject.sampling, sampler=fitted)
    except ValueError as error:
        raise ConfigError(f"{subject.name}: {error}") from error
    return other


def sampler_of(cfg: Any) -> LatentSampler | None:
    """Build the sampler that a config names; None without one.

    Args:
        cfg: config of a command; that of a checkpoint of an older version has no such key.

    Raises:
        ConfigError: an argument out of range.
    """
    node = cfg.get("sampler")
    return build_as(LatentSampler, node) if node else None
