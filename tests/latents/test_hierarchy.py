"""Groups of latents against torch's distributions: merged normals, divergences, and densities of their noise."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ganvas.latents.hierarchy import (
    divergences,
    mean_of,
    merged,
    noise_of,
    noise_posterior,
    placed,
    standard_normal,
)
from ganvas.types import Group

SIZES = [(2,), (3, 2, 2)]


def normals(*shape):
    return Normal(torch.randn(shape).double(), torch.rand(shape).double() + 0.3)


@pytest.fixture
def groups():
    torch.manual_seed(0)
    pairs = [(normals(5, *size), normals(5, *size)) for size in SIZES]
    return [Group(prior, posterior, posterior.sample(), follows=True) for prior, posterior in pairs]


def flat(parts):
    return torch.cat([part.flatten(1) for part in parts], 1)


def test_a_merged_normal_is_the_product_of_both_densities():
    torch.manual_seed(1)
    a, b = normals(4), normals(4)
    z = torch.linspace(-3, 3, 7).double()[:, None].expand(-1, 4)
    product = a.log_prob(z) + b.log_prob(z) - merged(a, b).log_prob(z)
    torch.testing.assert_close(product, product[:1].expand_as(product))  # but for a factor without z
    # The factor is the density of one mean under a normal whose variance is the sum: the overlap of both.
    overlap = Normal(b.loc, (a.variance + b.variance).sqrt()).log_prob(a.loc)
    torch.testing.assert_close(product[0], overlap)


def test_evidence_that_says_nothing_leaves_the_prior():
    prior = normals(4)
    found = merged(Normal(torch.full((4,), 5.0).double(), 1e6), prior)
    torch.testing.assert_close((found.loc, found.scale), (prior.loc, prior.scale))


def test_divergences_are_those_of_torch(groups):
    expected = flat([kl_divergence(group.posterior, group.prior) for group in groups])
    torch.testing.assert_close(divergences(groups), expected)


def test_a_group_that_does_not_follow_is_estimated_by_its_draw(groups):
    first, second = groups
    loose = Group(second.prior, second.posterior, second.z, follows=False)
    ratio = second.posterior.log_prob(second.z) - second.prior.log_prob(second.z)
    expected = flat([kl_divergence(first.posterior, first.prior), ratio])
    torch.testing.assert_close(divergences([first, loose]), expected)


def test_noise_has_the_log_ratios_of_the_latents(groups):
    noise = noise_of(groups)
    ratio = noise_posterior(groups).log_prob(noise) - Normal(0.0, 1.0).log_prob(noise)
    expected = flat([group.posterior.log_prob(group.z) - group.prior.log_prob(group.z) for group in groups])
    torch.testing.assert_close(ratio, expected)
    parts = noise.split([2, 12], 1)
    for part, group in zip(parts, groups, strict=True):
        torch.testing.assert_close(placed(part, group.prior), group.z)


def test_the_standard_normal_and_the_mean():
    top = standard_normal(torch.full((2, 3), 9.0))
    assert torch.equal(top.loc, torch.zeros(2, 3)) and torch.equal(top.scale, torch.ones(2, 3))
    assert mean_of(top) is top.loc
