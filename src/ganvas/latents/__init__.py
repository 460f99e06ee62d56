"""Distributions over latents, as values: priors and posteriors, the divergence between them, and what latents do.

A prior has ``sample`` and ``log_prob``, and its divergence from a posterior where a closed form is known. An encoder
returns a posterior with ``rsample``, ``log_prob`` and ``mean``: a distribution of torch, or one's own.
"""

from ganvas.latents.activity import LatentActivity, latent_activity
from ganvas.latents.kl import normal_kl
from ganvas.latents.mixture import GaussianMixture
from ganvas.latents.posteriors import diagonal_normal
from ganvas.latents.priors import Normal, Uniform

__all__ = ["GaussianMixture", "LatentActivity", "Normal", "Uniform", "diagonal_normal", "latent_activity", "normal_kl"]
