"""Samplers after training against closed forms: moments, entropies, densities of torch, Jacobians of autograd."""

import math

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from ganvas.latents import MAFSampler, MixtureSampler, TwoStageSampler
from ganvas.latents.samplers.base import Scale
from ganvas.latents.samplers.maf import FittedFlow
from ganvas.latents.samplers.two_stage import SecondStage

FACTOR = torch.tensor([[1.0, 0.0], [1.8, 0.3]])


def correlated(n=2000):
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return noise @ FACTOR.T + torch.tensor([3.0, -1.0])


def entropy(factor):
    return float(factor.diagonal().log().sum()) + len(factor) / 2 * math.log(2 * math.pi * math.e)


def mixture(components=1, seed=0):
    return MixtureSampler(images=100, seed=seed, components=components, iterations=50, floor=1e-9)


def test_one_component_has_the_moments_of_the_codes():
    codes = correlated(50)
    fitted = mixture().fit(codes)
    torch.testing.assert_close(fitted.means[0], codes.mean(0))
    covariance = fitted.factors[0] @ fitted.factors[0].T
    torch.testing.assert_close(covariance, torch.cov(codes.T, correction=0), rtol=1e-4, atol=1e-5)


def test_one_component_is_called_a_normal():
    assert (mixture(1).name, mixture(2).name, mixture(1).stated()["kind"]) == ("normal", "gmm", "normal")


def test_components_are_found_and_their_density_is_torchs():
    far = torch.cat([correlated(100), 0.5 * correlated(300) + 50])
    fitted = mixture(2).fit(far)
    assert sorted(fitted.weights.tolist()) == pytest.approx([0.25, 0.75], abs=1e-4)
    parts = MultivariateNormal(fitted.means, scale_tril=fitted.factors)
    expected = MixtureSameFamily(Categorical(fitted.weights), parts).log_prob(far)
    torch.testing.assert_close(fitted.log_prob(far), expected, rtol=1e-4, atol=1e-4)
    z = fitted.sample(4000, generator=torch.Generator().manual_seed(0))
    assert float((z[:, 0] > 25).float().mean()) == pytest.approx(0.75, abs=0.03)
    near = z[z[:, 0] < 25]
    torch.testing.assert_close(torch.cov(near.T), FACTOR @ FACTOR.T, rtol=0.3, atol=0.1)


def test_the_density_of_a_flow_is_that_of_its_jacobian():
    torch.manual_seed(0)
    flow = FittedFlow(Scale.of(correlated()), 2, [8]).double()
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    z = torch.randn(2, dtype=torch.float64)

    def noise(z):
        z = flow.scale.unit(z)
        for each in flow.maps:
            z = each(z, None)[0]
        return z

    explicit = Independent(Normal(torch.zeros(2).double(), 1.0), 1).log_prob(noise(z))
    explicit = explicit + torch.linalg.slogdet(jacobian(noise, z)).logabsdet
    torch.testing.assert_close(flow.log_prob(z), explicit)


def test_draws_of_a_flow_are_noise_after_its_maps():
    torch.manual_seed(0)
    flow = FittedFlow(Scale.of(correlated()), 3, [8])
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    z = flow.sample(5, generator=torch.Generator().manual_seed(2))
    noise = flow.scale.unit(z)
    for each in flow.maps:
        noise = each(noise, None)[0]
    expected = torch.randn(5, 2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(noise, expected, rtol=1e-3, atol=1e-3)


def test_a_flow_comes_close_to_the_entropy_of_the_codes():
    """The mean negative log density cannot be below the entropy, and a normal is within reach of one map."""
    sampler = MAFSampler(images=100, seed=0, maps=1, hidden=[16], steps=400, batch_size=256, lr=0.02)
    fitted = sampler.fit(correlated())
    fresh = torch.randn(4000, 2, generator=torch.Generator().manual_seed(9)) @ FACTOR.T + torch.tensor([3.0, -1.0])
    assert float(-fitted.log_prob(fresh).mean()) == pytest.approx(entropy(FACTOR), abs=0.05)


def test_the_loss_of_the_second_stage_is_its_bound():
    torch.manual_seed(0)
    codes = correlated(6)
    stage = SecondStage(Scale.of(codes), [8])
    stage.log_gamma.data.fill_(-0.7)
    torch.manual_seed(1)
    found = stage.loss(codes)
    torch.manual_seed(1)
    unit = (codes - codes.mean(0)) / codes.std(0, correction=0)
    mean, log_variance = stage.encoder(unit).chunk(2, dim=1)
    posterior = Normal(mean, (log_variance / 2).exp())
    u = posterior.rsample()
    deviation = codes.std(0, correction=0)
    location = codes.mean(0) + deviation * stage.decoder(u)
    log_density = Normal(location, math.exp(-0.7) * deviation).log_prob(codes).sum(1)
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(found, (kl - log_density).mean())


def test_the_second_stage_comes_close_to_the_entropy_and_to_the_moments():
    """Minus the bound is at least the entropy; at the optimum, for normal codes, it is equal."""
    sampler = TwoStageSampler(images=100, seed=0, hidden=[16], steps=1500, batch_size=256, lr=0.01)
    codes = correlated()
    fitted = sampler.fit(codes)
    torch.manual_seed(0)
    with torch.no_grad():
        bound = float(fitted.loss(codes))
    assert entropy(FACTOR) - 0.05 < bound < entropy(FACTOR) + 0.15
    z = fitted.sample(4000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cov(z.T), FACTOR @ FACTOR.T, rtol=0.2, atol=0.2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": 1}, "sampler.images=1: expected at least 2"),
        ({"components": 0}, "sampler.components=0: expected at least 1"),
        ({"floor": 0.0}, "sampler.floor=0.0: expected above 0"),
        ({"components": 200}, "expected at most sampler.images=100"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        MixtureSampler(**{"images": 100, "seed": 0, "components": 2, "iterations": 5, "floor": 1e-6, **changes})


def test_a_constant_coordinate_has_a_scale():
    scale = Scale.of(torch.tensor([[1.0, 2.0], [3.0, 2.0]]))
    assert scale.unit(torch.tensor([[1.0, 2.0]])).tolist() == [[-1.0, 0.0]]
    assert scale.back(torch.tensor([[1.0, 0.0]])).tolist() == [[3.0, 2.0]]
