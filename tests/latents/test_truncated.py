"""The truncated normal against scipy's, and against the draws that it keeps."""

import numpy as np
import pytest
import torch
from scipy import stats

from ganvas.latents import GaussianMixture, Normal, TruncatedNormal
from ganvas.latents.truncated import truncated
from ganvas.testing import PriorContract


def draw(prior, n=4000, seed=0):
    return prior.sample(n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bound", [1e-3, 0.5, 2.0])
def test_draws_and_densities_are_those_of_scipy(bound):
    truth, z = stats.truncnorm(-bound, bound), draw(TruncatedNormal(3, bound))
    assert z.abs().max() <= bound
    assert stats.kstest(z.flatten().double().numpy(), truth.cdf).pvalue > 0.01
    density = TruncatedNormal(3, bound).log_prob(z.double()).numpy()
    np.testing.assert_allclose(density, truth.logpdf(z.double().numpy()).sum(-1), rtol=1e-9)
    assert TruncatedNormal(3, bound).log_prob(torch.tensor([0.0, 0.0, bound * 1.01])) == -np.inf


def test_values_within_the_threshold_are_those_of_the_normal():
    z, plain = draw(TruncatedNormal(3, 1.0)), draw(Normal(3))
    within = plain.abs() <= 1
    assert torch.equal(z[within], plain[within]) and 0.6 < within.float().mean() < 0.75
    assert torch.equal(draw(TruncatedNormal(3, 50.0)), plain)


def test_refusals():
    with pytest.raises(ValueError, match=r"truncation=0.5: expected a standard normal prior, got GaussianMixture"):
        truncated(GaussianMixture(2, 4, 1.0, 0.1), 0.5)
    with pytest.raises(ValueError, match="`bound` is 0.0"):
        TruncatedNormal(2, 0.0)


class TestTruncatedNormal(PriorContract):
    @pytest.fixture(params=[0.1, 1.5])
    def prior(self, request):
        return TruncatedNormal(64, request.param)
