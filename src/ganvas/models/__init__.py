"""The models, which are Lightning modules, and schedules of their numbers."""

from ganvas.models.base import Model
from ganvas.models.code_prior import CodePrior
from ganvas.models.gan import GAN
from ganvas.models.m2 import M2
from ganvas.models.sampling import Sampling
from ganvas.models.schedules import Constant, CosineDecay, ExponentialDecay, LinearDecay, Ramp, Schedule, Stages, WarmUp
from ganvas.models.vae import VAE
from ganvas.models.vqvae import VQVAE
from ganvas.models.wgan import WGAN

__all__ = [
    "GAN",
    "M2",
    "VAE",
    "VQVAE",
    "WGAN",
    "CodePrior",
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
