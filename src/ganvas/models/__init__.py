"""The Lightning modules :class:`GAN`, :class:`WGAN` and :class:`VAE`, and schedules of their numbers."""

from ganvas.models.base import Model
from ganvas.models.gan import GAN
from ganvas.models.sampling import Sampling
from ganvas.models.schedules import Constant, CosineDecay, ExponentialDecay, LinearDecay, Ramp, Schedule, Stages, WarmUp
from ganvas.models.vae import VAE
from ganvas.models.wgan import WGAN

__all__ = [
    "GAN",
    "VAE",
    "WGAN",
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "LinearDecay",
    "Model",
    "Ramp",
    "Sampling",
    "Schedule",
    "Stages",
    "WarmUp",
]
