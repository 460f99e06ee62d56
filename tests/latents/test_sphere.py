"""The von Mises-Fisher distribution against scipy, mpmath and closed forms; the uniform prior on the sphere."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import normalize

from ganvas.latents import UniformSphere, VonMisesFisher
from ganvas.latents.bessel import log_bessel_and_ratio
from ganvas.latents.von_mises_fisher import VonMisesFisherPosterior, angle_by_concentration, log_area
from ganvas.testing import PosteriorContract

F64 = torch.float64


def vmf(m, kappa):
    drawn = torch.randn(1, m, generator=torch.Generator().manual_seed(m)).double()
    return VonMisesFisherPosterior(normalize(drawn, dim=1), torch.tensor([kappa], dtype=F64), torch.float32)


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 9.0, 31.0, 255.5])
def test_bessel_functions_are_those_of_mpmath(order):
    x = [1e-3, 0.5, 3.0, 30.0, 700.0, 1e4, 1e6]
    found, ratio = log_bessel_and_ratio(order, torch.tensor(x, dtype=F64))
    with mpmath.workdps(30):
        values = [(mpmath.besseli(order, a), mpmath.besseli(order + 1, a)) for a in x]
        expected = [float(mpmath.log(v) - a) for a, (v, _) in zip(x, values, strict=True)]
        ratios = [float(w / v) for v, w in values]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ratio, ratios, rtol=1e-12)


@pytest.mark.parametrize(("m", "kappa"), [(2, 0.7), (3, 5.0), (5, 40.0), (20, 100.0)])
def test_density_and_divergence_are_those_of_scipy(m, kappa):
    posterior = vmf(m, kappa)
    theirs = stats.vonmises_fisher(posterior.direction[0].numpy(), kappa)
    z = UniformSphere(m).sample(6, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(posterior.log_prob(z[:, None])[:, 0], theirs.logpdf(z.double().numpy()), rtol=1e-5)
    divergence = UniformSphere(m).kl(posterior)
    assert divergence.shape == (1, 1)
    assert divergence.item() == pytest.approx(log_area(m) - theirs.entropy(), rel=1e-5, abs=1e-6)


def test_divergence_stays_exact_where_functions_without_scaling_overflow():
    """With three coordinates it is log(kappa) - 1 up to terms that vanish, which is known without Bessel functions."""
    kl = UniformSphere(3).kl(vmf(3, 1e6)).item()
    assert kl == pytest.approx(math.log(2e6) - 1, abs=1e-5)
    assert UniformSphere(3).kl(vmf(3, 1e-6)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("m", "kappa"), [(2, 1.0), (3, 5.0), (10, 50.0), (40, 3.0)])
def test_draws_have_the_moments_of_the_distribution(m, kappa):
    posterior = vmf(m, kappa)
    torch.manual_seed(0)
    z = posterior.rsample((20_000,))[:, 0].double()
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20_000, dtype=F64), rtol=1e-5, atol=0)
    error = z.std(0) / 20_000**0.5
    assert ((z.mean(0) - posterior.mean[0]).abs() < 4.5 * error).all()
    torch.testing.assert_close(z.std(0), posterior.stddev[0].double(), rtol=0.03, atol=0)
    # and along the mean direction the whole distribution, by scipy's draws
    theirs = stats.vonmises_fisher(posterior.direction[0].numpy(), kappa).rvs(20_000, random_state=0)
    along = [draws @ posterior.direction[0].numpy() for draws in (z.numpy(), theirs)]
    assert stats.ks_2samp(*along).pvalue > 1e-3


def test_derivative_of_the_angle_is_that_of_the_inverse_distribution_function():
    """On the sphere in three dimensions the distribution function of the cosine has an inverse."""
    kappa = torch.tensor([0.5, 5.0, 1e3], dtype=F64).expand(200, 3).clone().requires_grad_()
    u = torch.rand(200, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    cosine = 1 + torch.log1p(-u * (1 - torch.exp(-2 * kappa))) / kappa
    (expected,) = torch.autograd.grad(cosine.sum(), kappa)
    ratio = 1 / torch.tanh(kappa) - 1 / kappa  # Langevin's function
    angle = cosine.detach().acos()
    found = -angle.sin() * angle_by_concentration(angle, kappa.detach(), ratio.detach(), 3)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("m", [2, 5, 30])
def test_gradient_of_an_expectation_is_exact(m):
    """The derivative of the mean is known: A' = 1 - A^2 - (m - 1) A / kappa. A second moment sees the tangent too."""
    kappa = torch.tensor([4.0], dtype=F64, requires_grad=True)
    torch.manual_seed(0)
    posterior = VonMisesFisherPosterior(vmf(m, 1.0).direction, kappa, F64)
    z = posterior.rsample((4000,))[:, 0]
    a = log_bessel_and_ratio(m / 2 - 1, kappa.detach())[1]
    along = (z * posterior.direction).sum(1)
    each = torch.autograd.grad(along, kappa, torch.ones_like(along), retain_graph=True)[0] / 4000
    assert each.item() == pytest.approx((1 - a**2 - (m - 1) * a / 4).item(), abs=0.01)
    moment = torch.autograd.grad(along.square().mean(), kappa)[0]
    exact = torch.tensor([4.0], dtype=F64, requires_grad=True)
    second = 1 - (m - 1) * log_bessel_and_ratio(m / 2 - 1, exact)[1] / exact
    assert moment.item() == pytest.approx(torch.autograd.grad(second.sum(), exact)[0].item(), abs=0.01)


def test_gradient_with_respect_to_the_direction_turns_the_draws():
    angle = torch.tensor(0.3, dtype=F64, requires_grad=True)
    direction = torch.stack([angle.cos(), angle.sin()])[None]
    posterior = VonMisesFisherPosterior(direction, torch.tensor([3.0], dtype=F64), F64)
    torch.manual_seed(0)
    z = posterior.rsample((20_000,))[:, 0]
    slope = torch.autograd.grad(z[:, 0].mean(), angle)[0].item()
    a = log_bessel_and_ratio(0.0, torch.tensor([3.0], dtype=F64))[1].item()
    assert slope == pytest.approx(-a * math.sin(0.3), abs=0.02)


def test_held_constant_no_gradient_reaches_the_parameters():
    parameters = torch.randn(4, 4, requires_grad=True)
    posterior = VonMisesFisher(least=1.0)(parameters)
    z = posterior.rsample((2,))
    assert not posterior.detached().log_prob(z.detach()).requires_grad
    assert torch.autograd.grad(posterior.detached().log_prob(z).sum(), parameters)[0].any()


def test_the_uniform_prior_has_the_density_of_scipy_and_interpolates_on_great_circles():
    prior = UniformSphere(3)
    z = prior.sample(4, generator=torch.Generator().manual_seed(0))
    assert prior.log_prob(z)[0].item() == pytest.approx(-math.log(4 * math.pi))
    assert prior.log_prob(1.1 * z).isneginf().all()
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    way = prior.between(a, b, torch.tensor([0.25, 1.0]))
    expected = torch.tensor([[math.cos(math.pi / 8), math.sin(math.pi / 8), 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(way, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(prior.between(a, a, torch.tensor([0.3])), a[None])


def test_points_need_two_coordinates():
    with pytest.raises(ValueError, match="expected >= 2 for a sphere"):
        UniformSphere(1)
    with pytest.raises(ValueError, match="expected at least 2 for a sphere"):
        VonMisesFisher(least=1.0).outputs(1)


class TestLargeSphere(PosteriorContract):
    @pytest.fixture
    def family(self):
        return VonMisesFisher(least=0.1)

    @pytest.fixture
    def dim(self):
        return 50
