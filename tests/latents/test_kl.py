"""Analytic KL against torch.distributions."""

import torch
from torch.distributions import Normal, kl_divergence

from ganvas.latents import normal_kl


def test_equals_torch_in_every_coordinate():
    mean, std = 3 * torch.randn(20, 5), torch.randn(20, 5).exp()
    torch.testing.assert_close(normal_kl(mean, std), kl_divergence(Normal(mean, std), Normal(0.0, 1.0)))


def test_prior_costs_nothing():
    assert torch.equal(normal_kl(torch.zeros(2, 3), torch.ones(2, 3)), torch.zeros(2, 3))
