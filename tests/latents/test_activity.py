"""Active units against numpy's variance and torch's divergence."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ganvas.latents import GaussianMixture, UniformSphere
from ganvas.latents import Normal as Prior
from ganvas.latents.activity import latent_activity

NORMAL = Prior(5)


@pytest.fixture
def posterior():
    random = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 0.5, 0.09, 0.11, 0.0])
    # A large offset: a one-pass sum of squares in float32 would lose the small variances.
    mean = torch.randn(1000, 5, generator=random) * scale + torch.tensor([0.0, 3.0, -100.0, 100.0, 7.0])
    return mean, torch.rand(1000, 5, generator=random) + 0.1


@pytest.mark.parametrize("batch", [1, 64, 333, 1000])
def test_moments_do_not_depend_on_the_batch(posterior, batch):
    mean, std = posterior
    activity = latent_activity(zip(mean.split(batch), std.split(batch), strict=True), NORMAL)
    np.testing.assert_allclose(activity.variance, mean.double().numpy().var(0), rtol=1e-9, atol=1e-15)
    divergence = kl_divergence(Normal(mean.double(), std.double()), Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(activity.kl, divergence, rtol=1e-9, atol=1e-9)
    assert activity.n == 1000


def test_units_above_a_hundredth_are_active(posterior):
    activity = latent_activity([posterior], NORMAL)
    assert activity.active.tolist() == [True, True, False, True, False]
    assert activity.active_units == 3


def test_a_collapsed_posterior_has_no_active_unit_and_no_divergence():
    activity = latent_activity([(torch.zeros(10, 3), torch.ones(10, 3))], Prior(3))
    assert activity.active_units == 0
    assert activity.kl.tolist() == [0.0, 0.0, 0.0]


def test_a_latent_is_active_in_units_of_its_prior_s_variance():
    """On a sphere in 100 dimensions no coordinate's variance exceeds a hundredth."""
    means = UniformSphere(100).sample(500, generator=torch.Generator().manual_seed(0))
    means[:, 50:] = 0
    activity = latent_activity([(means, torch.full_like(means, 0.1))], UniformSphere(100))
    assert activity.kl is None and activity.active.tolist() == [True] * 50 + [False] * 50
    torch.testing.assert_close(activity.limit, torch.full((100,), 1e-4).double())
    wide = GaussianMixture(2, components=4, radius=10.0, sigma=1.0)  # variance 51 of each coordinate
    assert latent_activity([(torch.randn(500, 2), torch.ones(500, 2))], wide).active_units == 2
    assert latent_activity([(torch.randn(500, 2) / 2, torch.ones(500, 2))], wide).active_units == 0


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        latent_activity([(torch.zeros(1, 3), torch.ones(1, 3))], Prior(3))
    with pytest.raises(ValueError, match="at least 2 images, got 0"):
        latent_activity([], Prior(3))
