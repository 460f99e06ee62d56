"""The most probable latent against the closed form of a linear model, and its choices at the edges."""

import pytest
import torch

from ganvas.latents import Normal, Uniform, UniformSphere
from ganvas.models.inversion import most_probable


def test_it_is_the_posterior_mean_of_a_linear_gaussian_model():
    generator = torch.Generator().manual_seed(0)
    weight, sd = torch.randn(6, 3, generator=generator), 0.5
    seen = torch.tensor([1.0, 1, 1, 0, 0, 1])
    observed = torch.randn(4, 6, generator=generator) * seen
    starts = torch.randn(2, 4, 3, generator=generator)
    found = most_probable(
        lambda z: z @ weight.T, lambda x: x * seen, observed, sd, Normal(3), starts, steps=400, lr=0.1
    )
    a = weight * seen[:, None]
    expected = torch.linalg.solve(a.T @ a / sd**2 + torch.eye(3), a.T @ observed.T / sd**2).T
    assert torch.allclose(found, expected, atol=1e-3)


def test_each_image_takes_the_start_that_ends_lowest():
    """Behind the observation 1 are z = 0, which the prior makes more probable, and z = 2."""
    starts = torch.tensor([[[2.1], [-0.1]], [[0.1], [2.2]]])
    found = most_probable(
        lambda z: (z - 1) ** 2, lambda x: x, torch.ones(2, 1), 0.1, Normal(1), starts, steps=200, lr=0.01
    )
    assert found.flatten().tolist() == pytest.approx([0, 0], abs=0.02)


def test_a_bounded_prior_is_not_left():
    start, far = torch.zeros(1, 1, 2), torch.full((1, 2), 3.0)
    found = most_probable(lambda z: z, lambda x: x, far, 1.0, Uniform(2, 0.5), start, steps=60, lr=0.1)
    assert found.tolist() == [[0.5, 0.5]]


def test_the_sphere_is_not_left():
    prior = UniformSphere(3)
    start = prior.sample(2, generator=torch.Generator().manual_seed(0)).view(2, 1, 3)
    far = torch.tensor([[3.0, 0.0, 4.0]])
    found = most_probable(lambda z: z, lambda x: x, far, 1.0, prior, start, steps=200, lr=0.1)
    torch.testing.assert_close(found, far / 5, atol=1e-3, rtol=0)
    assert prior.log_prob(found).isfinite().all()
