"""A linear-Gaussian model with a learned prior and given noise, whose gradients can be written out draw by draw."""

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.objectives import Draws

F64 = torch.float64
SIGMA = 0.5


class LinearGaussian:
    """z ~ N(m, I), x|z ~ N(W z, sigma^2 I), q(z|x) = N(A x + b, s^2), float64."""

    def __init__(self, latent=2, d=4, n=3, k=4, seed=0, noise=None, x=None):
        generator = torch.Generator().manual_seed(seed)
        normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
        self.encoder = [(0.4 * normal(latent, d)), 0.3 * normal(latent), 0.2 * normal(latent) - 0.5]
        self.networks = [normal(d, latent), 0.5 * normal(latent)]  # decoder and prior
        for parameter in (*self.encoder, *self.networks):
            parameter.requires_grad_()
        self.x = normal(n, d) if x is None else x
        self.noise = normal(k, n, latent) if noise is None else noise

    def posterior(self, constant=False):
        a, b, log_s = (p.detach() if constant else p for p in self.encoder)
        mean = self.x @ a.T + b
        return Independent(Normal(mean, log_s.exp().expand_as(mean)), 1)

    def latents(self):
        q = self.posterior()
        return q.base_dist.loc + q.base_dist.scale * self.noise

    def log_px_z(self, z):
        return Normal(z @ self.networks[0].T, SIGMA).log_prob(self.x).sum(-1)

    def log_pz(self, z):
        return Normal(self.networks[1], 1.0).log_prob(z).sum(-1)

    def draws(self, n_train=100):
        z, q = self.latents(), self.posterior()
        return Draws(self.log_px_z(z), self.log_pz(z), q.log_prob(z), None, z, q, n_train)

    def log_w(self, constant_posterior=False):
        z = self.latents()
        return self.log_px_z(z) + self.log_pz(z) - self.posterior(constant_posterior).log_prob(z)


@pytest.fixture
def linear_gaussian():
    return LinearGaussian
