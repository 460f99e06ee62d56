"""Priors and posteriors of latents, the divergence between them, the activity of latents, and codebooks.

A prior has ``sample``, ``log_prob`` and, if a closed form is known, the divergence of a posterior from it. An encoder
returns a posterior with ``rsample``, ``log_prob`` and ``mean``: a distribution of torch or your own, made by a family
from the encoder's last layer. A quantiser makes a grid of codes of a grid of vectors.
"""

from ganvas.latents.activity import LatentActivity, latent_activity
from ganvas.latents.aggregate import BatchWeights, StratifiedSampling, WeightedSampling
from ganvas.latents.autoregressive import InverseAutoregressive, MaskedAutoregressive
from ganvas.latents.codebooks.autoregressive import Autoregressive
from ganvas.latents.codebooks.frequencies import CodeFrequencies
from ganvas.latents.codebooks.fsq import FSQ
from ganvas.latents.codebooks.quantiser import Quantised, Quantiser
from ganvas.latents.codebooks.residual import ResidualVQ
from ganvas.latents.codebooks.vq import VQ, VQEMA
from ganvas.latents.codes import Codes
from ganvas.latents.compared import Comparison, Permuted, PriorDraws
from ganvas.latents.flow import FlowPosterior
from ganvas.latents.flow_prior import FlowPrior
from ganvas.latents.full_normal import FullNormal
from ganvas.latents.gumbel import Gumbel
from ganvas.latents.kernels import GaussianKernel, InverseMultiquadratic, Kernel
from ganvas.latents.kl import normal_kl
from ganvas.latents.learned_mixture import LearnedMixture
from ganvas.latents.mixture import GaussianMixture
from ganvas.latents.planar import PlanarFlow
from ganvas.latents.posteriors import DiagonalNormal, detached, diagonal_normal
from ganvas.latents.priors import Normal, Uniform
from ganvas.latents.samplers.base import LatentSampler
from ganvas.latents.samplers.maf import MAFSampler
from ganvas.latents.samplers.mixture import MixtureSampler
from ganvas.latents.samplers.two_stage import TwoStageSampler
from ganvas.latents.sphere import UniformSphere
from ganvas.latents.truncated import TruncatedNormal
from ganvas.latents.vamp import VampPrior
from ganvas.latents.von_mises_fisher import VonMisesFisher

__all__ = [
    "FSQ",
    "VQ",
    "VQEMA",
    "Autoregressive",
    "BatchWeights",
    "CodeFrequencies",
    "Codes",
    "Comparison",
    "DiagonalNormal",
    "FlowPosterior",
    "FlowPrior",
    "FullNormal",
    "GaussianKernel",
    "GaussianMixture",
    "Gumbel",
    "InverseAutoregressive",
    "InverseMultiquadratic",
    "Kernel",
    "LatentActivity",
    "LatentSampler",
    "LearnedMixture",
    "MAFSampler",
    "MaskedAutoregressive",
    "MixtureSampler",
    "Normal",
    "Permuted",
    "PlanarFlow",
    "PriorDraws",
    "Quantised",
    "Quantiser",
    "ResidualVQ",
    "StratifiedSampling",
    "TruncatedNormal",
    "TwoStageSampler",
    "Uniform",
    "UniformSphere",
    "VampPrior",
    "VonMisesFisher",
    "WeightedSampling",
    "detached",
    "diagonal_normal",
    "latent_activity",
    "normal_kl",
]
