"""Objectives: frozen values that turn scores, critics and densities into named terms. Tensors in, scalars out."""

from __future__ import annotations

from ganvas.objectives.adversarial import Adversarial, Divergence
from ganvas.objectives.bernoulli import Bernoulli
from ganvas.objectives.bound import Bound, BoundTerms
from ganvas.objectives.constraint import Constraint, Penalty, Projection, Reparametrisation
from ganvas.objectives.discretised_logistic import DiscretisedLogistic
from ganvas.objectives.dragan import Dragan
from ganvas.objectives.elbo import ELBO
from ganvas.objectives.gaussian import Gaussian
from ganvas.objectives.gradient_penalty import GradientPenalty
from ganvas.objectives.hinge import Hinge
from ganvas.objectives.importance import iwae_bound, log_weights
from ganvas.objectives.iwae import IWAE
from ganvas.objectives.jensen_shannon import JensenShannonTerms
from ganvas.objectives.kl import normal_kl
from ganvas.objectives.least_squares import LeastSquares
from ganvas.objectives.likelihood import Likelihood
from ganvas.objectives.minimax import Minimax
from ganvas.objectives.non_saturating import NonSaturating
from ganvas.objectives.r1 import R1
from ganvas.objectives.spectral_norm import SpectralNorm
from ganvas.objectives.terms import CriticTerms, GeneratorTerms, Terms
from ganvas.objectives.unconstrained import Unconstrained
from ganvas.objectives.wasserstein import Wasserstein, WassersteinTerms
from ganvas.objectives.weight_clipping import WeightClipping

__all__ = [
    "ELBO",
    "IWAE",
    "R1",
    "Adversarial",
    "Bernoulli",
    "Bound",
    "BoundTerms",
    "Constraint",
    "CriticTerms",
    "DiscretisedLogistic",
    "Divergence",
    "Dragan",
    "Gaussian",
    "GeneratorTerms",
    "GradientPenalty",
    "Hinge",
    "JensenShannonTerms",
    "LeastSquares",
    "Likelihood",
    "Minimax",
    "NonSaturating",
    "Penalty",
    "Projection",
    "Reparametrisation",
    "SpectralNorm",
    "Terms",
    "Unconstrained",
    "Wasserstein",
    "WassersteinTerms",
    "WeightClipping",
    "iwae_bound",
    "normal_kl",
    "log_weights",
]
