"""Wasserstein: the estimate against scipy's distance where the optimal critic is known."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from ganvas.objectives import Adversarial, Divergence, Wasserstein


def test_estimate_equals_the_distance_under_an_optimal_critic():
    generator = torch.Generator().manual_seed(0)
    fake = torch.randn(400, generator=generator, dtype=torch.float64)
    real = 2 + fake[torch.randperm(400, generator=generator)].abs()  # to the right of fake: D(x) = x is optimal
    distance = wasserstein_distance(real.numpy(), fake.numpy())
    terms = Wasserstein().critic_terms(real, fake)
    assert terms.wasserstein.item() == pytest.approx(distance)
    assert terms.total.item() == pytest.approx(-distance)


def test_both_players_pull_the_fake_score_apart():
    real, fake = torch.randn(3, requires_grad=True), torch.randn(5, requires_grad=True)
    gradients = torch.autograd.grad(Wasserstein().critic_terms(real, fake).total, (real, fake))
    assert gradients[0].tolist() == pytest.approx([-1 / 3] * 3)
    assert gradients[1].tolist() == pytest.approx([1 / 5] * 5)
    (gradient,) = torch.autograd.grad(Wasserstein().generator_terms(fake).total, fake)
    assert gradient.tolist() == pytest.approx([-1 / 5] * 5)


def test_it_is_no_divergence():
    assert isinstance(Wasserstein(), Adversarial)
    assert not isinstance(Wasserstein(), Divergence)


def test_estimate_survives_half_precision_scores():
    real, fake = (30 + 2 * torch.rand(64)).bfloat16(), (30 + torch.rand(64)).bfloat16()
    expected = real.double().mean() - fake.double().mean()
    assert Wasserstein().critic_terms(real, fake).wasserstein.item() == pytest.approx(expected.item(), abs=1e-3)
