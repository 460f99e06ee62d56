"""Likelihoods against torch.distributions and scipy, and the normalisation of the discrete ones."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal

from ganvas.objectives import Bernoulli, DiscretisedLogistic, Gaussian, PixelGaussian
from ganvas.types import to_float

LEVELS = to_float(torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1))


def images(n=3):
    return to_float(torch.randint(0, 256, (n, 2, 4, 4), dtype=torch.uint8))


def test_bernoulli_equals_torch_on_binary_images():
    x = torch.randint(0, 2, (5, 1, 4, 4)) * 2.0 - 1
    logits = 3 * torch.randn(7, 5, 1, 4, 4)
    expected = TorchBernoulli(logits=logits).log_prob(((x + 1) / 2).expand_as(logits)).sum((2, 3, 4))
    torch.testing.assert_close(Bernoulli().log_prob(x, logits, None), expected)


def test_bernoulli_is_a_cross_entropy_on_grey_images():
    x, logits = images(), torch.randn(3, 2, 4, 4)
    expected = -torch.nn.functional.binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="none")
    torch.testing.assert_close(Bernoulli().log_prob(x, logits, None), expected.sum((1, 2, 3)))


def test_bernoulli_mean_is_the_expectation_on_the_scale_of_the_data():
    logits = torch.linspace(-20, 20, 9)
    torch.testing.assert_close(Bernoulli().mean(logits), 2 * TorchBernoulli(logits=logits).mean - 1)


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_gaussian_equals_torch(sigma):
    x, location = images(), torch.randn(4, 3, 2, 4, 4)
    expected = Normal(location, sigma).log_prob(x).sum((2, 3, 4))
    torch.testing.assert_close(Gaussian(sigma).log_prob(x, location, None), expected)


@pytest.mark.parametrize("as_model_keeps_it", [(2,), (2, 1, 1)])
def test_learned_sigma_is_one_a_channel(as_model_keeps_it):
    x, location, log_sigma = images(), torch.randn(3, 2, 4, 4), torch.tensor([-1.0, 0.5])
    expected = Normal(location, log_sigma.exp().reshape(2, 1, 1)).log_prob(x).sum((1, 2, 3))
    actual = Gaussian(None).log_prob(x, location, log_sigma.reshape(as_model_keeps_it))
    torch.testing.assert_close(actual, expected)


def test_learned_sigma_of_points_is_one_a_coordinate_and_is_optimal_at_the_spread():
    x = torch.tensor([0.1, 2.0]) * torch.randn(500, 2)
    log_sigma = x.square().mean(0).log().div(2).requires_grad_()
    (gradient,) = torch.autograd.grad(Gaussian(None).log_prob(x, torch.zeros_like(x), log_sigma).mean(), log_sigma)
    torch.testing.assert_close(gradient, torch.zeros(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.3, 5.0])
@pytest.mark.parametrize("location", [-1.5, -1.0, 0.003, 0.7, 2.0])
def test_discretised_logistic_sums_to_one_over_the_levels(scale, location):
    log_p = DiscretisedLogistic(scale).log_prob(LEVELS.double(), torch.full_like(LEVELS, location).double(), None)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)  # the levels themselves are float32 from uint8


@pytest.mark.parametrize("scale", [0.02, 0.3, 5.0])
@pytest.mark.parametrize("location", [-1.5, 0.003, 2.0])
def test_discretised_logistic_equals_scipys_integrals(scale, location):
    edges = np.concatenate([[-np.inf], -1 + (2 * np.arange(255) + 1) / 255, [np.inf]])
    expected = np.diff(stats.logistic.cdf(edges, loc=location, scale=scale))
    log_p = DiscretisedLogistic(scale).log_prob(LEVELS.double(), torch.full_like(LEVELS, location).double(), None)
    representable = expected > 1e-10  # beyond, scipy's difference of two numbers near 1 has lost its digits
    np.testing.assert_allclose(log_p.exp().numpy()[representable], expected[representable], rtol=1e-4)


def test_discretised_logistic_learns_one_scale_a_channel():
    x, location, log_scale = images(), torch.randn(3, 2, 4, 4), torch.tensor([-2.0, 0.0])
    together = DiscretisedLogistic(None).log_prob(x, location, log_scale)
    apart = [
        DiscretisedLogistic(math.exp(s)).log_prob(x[:, [c]], location[:, [c]], None)
        for c, s in enumerate(log_scale.tolist())
    ]
    torch.testing.assert_close(together, apart[0] + apart[1])


def test_discretised_logistic_far_away_is_finite_with_a_gradient():
    location = torch.full_like(LEVELS, 50.0).requires_grad_()
    log_scale = torch.tensor([-7.0], requires_grad=True)
    log_p = DiscretisedLogistic(None).log_prob(LEVELS, location, log_scale)
    gradients = torch.autograd.grad(log_p.sum(), (location, log_scale))
    assert torch.isfinite(log_p).all()
    assert all(torch.isfinite(g).all() for g in gradients)
    assert (gradients[0][:-1] < 0).all()


def test_only_the_end_levels_are_open():
    far = DiscretisedLogistic(0.3).log_prob(LEVELS, torch.full_like(LEVELS, 9.0), None).exp()
    assert far[255] > 0.99
    assert far[254] < 1e-9 + far[255] / 100


@pytest.mark.parametrize("family", [Gaussian, DiscretisedLogistic])
def test_scale_is_either_fixed_or_learned(family):
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="log_scale: got None"):
        family(None).log_prob(x, x, None)
    with pytest.raises(ValueError, match="log_scale: got \\(1,\\)"):
        family(1.0).log_prob(x, x, torch.zeros(1))
    with pytest.raises(ValueError, match="(sigma|scale): got 0.0"):
        family(0.0)


def test_bernoulli_takes_no_scale():
    with pytest.raises(ValueError, match="no scale"):
        Bernoulli().log_prob(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(2))


def test_pixel_gaussian_equals_torchs_normal():
    x, location = images().double(), torch.randn(5, 3, 4, 4, 4).double()
    m, log_sigma = location[:, :, :2], location[:, :, 2:]
    expected = torch.distributions.Normal(m.tanh(), log_sigma.exp()).log_prob(x).sum((-3, -2, -1))
    torch.testing.assert_close(PixelGaussian().log_prob(x, location, None), expected)
    assert PixelGaussian().location_shape((2, 4, 4)) == (4, 4, 4)
    torch.testing.assert_close(PixelGaussian().mean(location[0]), m[0].tanh())


def test_pixel_gaussian_of_a_constant_pixel_is_finite():
    location = torch.tensor([[0.0, -50.0]])
    expected = 7 - math.log(2 * math.pi) / 2
    assert PixelGaussian().log_prob(torch.zeros(1, 1), location, None).item() == pytest.approx(expected)


def test_pixel_gaussian_refuses_one_number_for_a_pixel():
    with pytest.raises(ValueError, match="location: got"):
        PixelGaussian().log_prob(images(), images(), None)
    with pytest.raises(ValueError, match="log_scale: got"):
        PixelGaussian().log_prob(images(), torch.zeros(3, 4, 4, 4), torch.zeros(2))
