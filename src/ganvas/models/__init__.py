"""The models, which are Lightning modules, and schedules of their numbers."""

from ganvas.models.adversaries.alone import Alone
from ganvas.models.adversaries.base import Adversary
from ganvas.models.adversaries.critic import CriticAdversary
from ganvas.models.adversaries.features import FeatureAdversary
from ganvas.models.adversaries.images import ImageAdversary
from ganvas.models.adversaries.latents import JoinedLatentAdversary, LatentAdversary, PhasedLatentAdversary
from ganvas.models.base import Model
from ganvas.models.code_prior import CodePrior
from ganvas.models.gan import GAN
from ganvas.models.hierarchical import HierarchicalVAE
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
    "Adversary",
    "Alone",
    "CodePrior",
    "Constant",
    "CosineDecay",
    "CriticAdversary",
    "ExponentialDecay",
    "FeatureAdversary",
    "HierarchicalVAE",
    "ImageAdversary",
    "JoinedLatentAdversary",
    "LatentAdversary",
    "LinearDecay",
    "Model",
    "PhasedLatentAdversary",
    "Ramp",
    "Sampling",
    "Schedule",
    "Stages",
    "WarmUp",
]
