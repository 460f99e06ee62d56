"""What a critic compares latents with: permutations column by column, and draws of the prior."""

import torch

from ganvas.latents import GaussianMixture, Normal, Permuted, PriorDraws


def test_each_coordinate_is_permuted_on_its_own():
    torch.manual_seed(0)
    z = torch.arange(40.0).reshape(10, 4).requires_grad_()
    found = Permuted()(z, Normal(4))
    assert torch.equal(found.sort(0).values, z)
    orders = [tuple(found[:, j].argsort().tolist()) for j in range(4)]
    assert len(set(orders)) == 4
    assert not torch.equal(found, Permuted()(z, Normal(4)))


def test_permuted_coordinates_are_independent():
    torch.manual_seed(0)
    one = torch.randn(20_000)
    z = torch.stack([one, 0.95 * one + (1 - 0.95**2) ** 0.5 * torch.randn(20_000)], 1)
    assert torch.corrcoef(z.T)[0, 1] > 0.94
    assert abs(torch.corrcoef(Permuted()(z, Normal(2)).T)[0, 1]) < 4 / 20_000**0.5


def test_draws_of_the_prior_are_as_many_as_the_latents():
    prior = GaussianMixture(2, components=3, radius=5.0, sigma=0.1)
    torch.manual_seed(4)
    found = PriorDraws()(torch.zeros(7, 2), prior)
    torch.manual_seed(4)
    assert torch.equal(found, prior.sample(7))
