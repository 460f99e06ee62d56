"""The density ratio against the total correlation of a normal, which is known in closed form."""

import math

import pytest
import torch

from ganvas.objectives import DensityRatio

RHO = 0.8
TOTAL_CORRELATION = -math.log(1 - RHO**2) / 2


@pytest.fixture(scope="module")
def latents():
    """Correlated normal latents, and others that follow the product of their marginals."""
    generator = torch.Generator().manual_seed(0)
    one, noise, other, third = torch.randn(4, 200_000, generator=generator, dtype=torch.float64)
    return torch.stack([one, RHO * one + math.sqrt(1 - RHO**2) * noise], 1), torch.stack([other, third], 1)


def log_ratio(z):
    """Log of the product of the marginals over the joint density."""
    squares = (z[:, 0] ** 2 - 2 * RHO * z[:, 0] * z[:, 1] + z[:, 1] ** 2) / (1 - RHO**2)
    return (squares - z.square().sum(1)) / 2 + math.log(1 - RHO**2) / 2


def test_the_encoder_s_loss_is_the_total_correlation(latents):
    joint, _ = latents
    terms = DensityRatio().generator_terms(log_ratio(joint))
    assert terms.total.item() == pytest.approx(TOTAL_CORRELATION, abs=4 * 0.8 / 200_000**0.5)
    assert terms.fake_score.item() == -terms.total.item()


def test_the_critic_s_loss_is_least_at_the_log_ratio(latents):
    joint, independent = latents
    scale = torch.ones(2, dtype=torch.float64, requires_grad=True)
    real, fake = (scale[0] * log_ratio(z) + scale[1] - 1 for z in (independent, joint))
    (slope,) = torch.autograd.grad(DensityRatio().critic_terms(real, fake).total, scale)
    assert slope.abs().max() < 4 / 200_000**0.5
