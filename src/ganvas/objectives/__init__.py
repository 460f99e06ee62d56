"""Objectives: frozen values that map tensors (scores, examples, log densities) to named scalar terms."""

from __future__ import annotations

from ganvas.objectives.adversarial.base import Adversarial, Divergence
from ganvas.objectives.adversarial.density_ratio import DensityRatio
from ganvas.objectives.adversarial.hinge import Hinge
from ganvas.objectives.adversarial.jensen_shannon import JensenShannonTerms
from ganvas.objectives.adversarial.least_squares import LeastSquares
from ganvas.objectives.adversarial.minimax import Minimax
from ganvas.objectives.adversarial.non_saturating import NonSaturating
from ganvas.objectives.adversarial.relativistic import Relativistic
from ganvas.objectives.adversarial.relativistic_average import RelativisticAverage
from ganvas.objectives.adversarial.smoothed import Smoothed
from ganvas.objectives.adversarial.top_k import TopK
from ganvas.objectives.adversarial.wasserstein import Wasserstein, WassersteinTerms
from ganvas.objectives.autoencoding.base import Autoencoding, AutoencodingTerms
from ganvas.objectives.autoencoding.rae import RAE, RAEL2, RAEGradientPenalty
from ganvas.objectives.autoencoding.reconstruction import Reconstruction
from ganvas.objectives.autoencoding.wae import WAEMMD, SlicedWAE
from ganvas.objectives.auxiliary.base import Auxiliary, Scene
from ganvas.objectives.auxiliary.classifier import Classifier
from ganvas.objectives.auxiliary.feature_matching import FeatureMatching
from ganvas.objectives.auxiliary.mutual_information import MutualInformation
from ganvas.objectives.auxiliary.none import NoAuxiliary
from ganvas.objectives.bounds.base import Bound, BoundTerms
from ganvas.objectives.bounds.beta_tc import BetaTC
from ganvas.objectives.bounds.capacity import Capacity
from ganvas.objectives.bounds.ciwae import CIWAE
from ganvas.objectives.bounds.dip import DIP, DIPI, DIPII
from ganvas.objectives.bounds.dreg import DReG
from ganvas.objectives.bounds.elbo import ELBO
from ganvas.objectives.bounds.group_free_bits import GroupFreeBits
from ganvas.objectives.bounds.importance import iwae_bound, log_weights
from ganvas.objectives.bounds.info import InfoVAE
from ganvas.objectives.bounds.iwae import IWAE
from ganvas.objectives.bounds.joint_capacity import JointCapacity
from ganvas.objectives.bounds.miwae import MIWAE
from ganvas.objectives.bounds.piwae import PIWAE
from ganvas.objectives.bounds.stl import STL
from ganvas.objectives.constraints import lecam
from ganvas.objectives.constraints.base import Constraint, CriticSlopes, Penalty, Projection, Reparametrisation
from ganvas.objectives.constraints.consistency import BalancedConsistency, Consistency, ConsistencyPenalty
from ganvas.objectives.constraints.dp_sgd import DPSGD, PrivacyError
from ganvas.objectives.constraints.dragan import Dragan
from ganvas.objectives.constraints.gradient_penalty import GradientPenalty
from ganvas.objectives.constraints.lecam import LeCam
from ganvas.objectives.constraints.max_gradient_penalty import MaxGradientPenalty
from ganvas.objectives.constraints.orthogonal import Orthogonal
from ganvas.objectives.constraints.r1 import R1, R2
from ganvas.objectives.constraints.spectral_norm import SpectralNorm
from ganvas.objectives.constraints.sum import Sum
from ganvas.objectives.constraints.unconstrained import Unconstrained
from ganvas.objectives.constraints.weight_clipping import WeightClipping
from ganvas.objectives.draws import Draws, FromDraws
from ganvas.objectives.judge import Judge, network_of
from ganvas.objectives.lazy import every
from ganvas.objectives.likelihoods.base import Likelihood
from ganvas.objectives.likelihoods.bernoulli import Bernoulli
from ganvas.objectives.likelihoods.discretised_logistic import DiscretisedLogistic
from ganvas.objectives.likelihoods.gaussian import Gaussian
from ganvas.objectives.likelihoods.logistic_mixture import LogisticMixture
from ganvas.objectives.likelihoods.pixel_gaussian import PixelGaussian
from ganvas.objectives.reconstruction_losses.base import ReconstructionLoss, fidelity
from ganvas.objectives.reconstruction_losses.ms_ssim import MultiScaleSSIM
from ganvas.objectives.reconstruction_losses.perceptual import PerceptualLoss
from ganvas.objectives.regularisers import path_length
from ganvas.objectives.regularisers.base import LazyRegulariser, Regulariser
from ganvas.objectives.regularisers.orthogonal import OrthogonalGenerator
from ganvas.objectives.regularisers.path_length import PathLength
from ganvas.objectives.regularisers.unregularised import Unregularised
from ganvas.objectives.semi_supervised import SemiSupervised
from ganvas.objectives.terms import CriticTerms, GeneratorTerms, Terms

PENALTY_STATE = frozenset({*lecam.AVERAGES, lecam.COUNT, path_length.MEAN})
"""Names of the buffers that penalties keep in a critic or a generator."""

__all__ = [
    "PENALTY_STATE",
    "every",
    "Unregularised",
    "MultiScaleSSIM",
    "PathLength",
    "PerceptualLoss",
    "PixelGaussian",
    "OrthogonalGenerator",
    "Regulariser",
    "LazyRegulariser",
    "Orthogonal",
    "MaxGradientPenalty",
    "LeCam",
    "ConsistencyPenalty",
    "Consistency",
    "BalancedConsistency",
    "Autoencoding",
    "AutoencodingTerms",
    "BetaTC",
    "CIWAE",
    "Capacity",
    "DIP",
    "DIPI",
    "DIPII",
    "DPSGD",
    "DReG",
    "DensityRatio",
    "ELBO",
    "FromDraws",
    "InfoVAE",
    "JointCapacity",
    "IWAE",
    "MIWAE",
    "PIWAE",
    "RAE",
    "RAEGradientPenalty",
    "RAEL2",
    "STL",
    "SemiSupervised",
    "SlicedWAE",
    "WAEMMD",
    "R1",
    "R2",
    "Adversarial",
    "Bernoulli",
    "Bound",
    "BoundTerms",
    "Constraint",
    "CriticSlopes",
    "CriticTerms",
    "DiscretisedLogistic",
    "Divergence",
    "Draws",
    "Dragan",
    "Gaussian",
    "GeneratorTerms",
    "GradientPenalty",
    "GroupFreeBits",
    "Hinge",
    "JensenShannonTerms",
    "LeastSquares",
    "Likelihood",
    "LogisticMixture",
    "Minimax",
    "NonSaturating",
    "Penalty",
    "PrivacyError",
    "Projection",
    "Reconstruction",
    "Relativistic",
    "Reparametrisation",
    "SpectralNorm",
    "Sum",
    "Terms",
    "Unconstrained",
    "Wasserstein",
    "WassersteinTerms",
    "WeightClipping",
    "iwae_bound",
    "log_weights",
    "Auxiliary",
    "Scene",
    "Classifier",
    "FeatureMatching",
    "MutualInformation",
    "NoAuxiliary",
    "RelativisticAverage",
    "Smoothed",
    "TopK",
    "Judge",
    "network_of",
    "ReconstructionLoss",
    "fidelity",
]
