"""Priors against scipy: densities, samples, seeds."""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats

from ganvas.latents.priors import Normal, Uniform

CASES = [(Normal(3), stats.norm()), (Uniform(3, sqrt(3)), stats.uniform(-sqrt(3), 2 * sqrt(3)))]


@pytest.mark.parametrize("prior, truth", CASES)
def test_log_prob(prior, truth):
    z = torch.randn(4, 5, 3, dtype=torch.float64)
    z[0, 0] = 0.5
    expected = truth.logpdf(z.numpy()).sum(-1)
    np.testing.assert_allclose(prior.log_prob(z).numpy(), expected, rtol=1e-12)
    assert prior.log_prob(z[0]).shape == (5,)


@pytest.mark.parametrize("prior, truth", CASES)
def test_sample(prior, truth):
    seeded = torch.Generator().manual_seed(0)
    z = prior.sample(4000, generator=seeded)
    assert z.shape == (4000, 3) and z.dtype == torch.float32
    assert stats.kstest(z.flatten().numpy(), truth.cdf).pvalue > 0.01
    assert torch.equal(z, prior.sample(4000, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(z[:10], prior.sample(10, generator=seeded))


def test_uniform_is_impossible_outside():
    assert Uniform(2, 1.0).log_prob(torch.tensor([[0.5, 1.5], [0.5, -0.5]])).tolist() == pytest.approx(
        [-np.inf, -2 * np.log(2)]
    )


def test_bad_arguments():
    with pytest.raises(ValueError, match="`dim` is 0"):
        Normal(0)
    with pytest.raises(ValueError, match="`bound` is 0.0"):
        Uniform(2, 0.0)
