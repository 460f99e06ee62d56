"""The mixture of logistics against the formula written out in numpy, and sums over levels."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from ganvas.objectives import DiscretisedLogistic, LogisticMixture

LEVELS = torch.arange(256).double() / 127.5 - 1


def by_hand(x, location, components):
    """Probability of one pixel ``x`` (C,) from its location (K q,), in float64, as PixelCNN++ states it."""
    total, channels = 0.0, len(x)
    each = location.reshape(components, -1)
    weights = np.exp(each[:, 0]) / np.exp(each[:, 0]).sum()
    for k in range(components):
        _, *numbers = each[k]
        m, s, free = numbers[:channels], numbers[channels : 2 * channels], numbers[2 * channels :]
        if channels == 3:
            r_g, r_b, g_b = np.tanh(free)
            m = [m[0], m[1] + r_g * x[0], m[2] + r_b * x[0] + g_b * x[1]]
        p = weights[k]
        for value, mean, log_scale in zip(x, m, s, strict=True):
            scale = np.exp(max(log_scale, -7))
            above = 1.0 if value > 0.999 else expit((value + 1 / 255 - mean) / scale)
            below = 0.0 if value < -0.999 else expit((value - 1 / 255 - mean) / scale)
            p *= above - below
        total += p
    return total


@pytest.mark.parametrize("channels", [1, 3])
def test_probability_is_that_of_the_formula(channels):
    random = torch.Generator().manual_seed(channels)
    likelihood, n = LogisticMixture(components=4), 12
    numbers = likelihood.location_shape((channels, 1, 1))[0]
    assert numbers == 4 * {1: 3, 3: 10}[channels]
    location = torch.randn(n, numbers, 1, 1, generator=random, dtype=torch.float64)
    x = LEVELS[torch.randint(256, (n, channels, 1, 1), generator=random)]
    x[0], x[1] = -1, 1
    found = likelihood.log_prob(x, location, None)
    expected = [by_hand(x[i].flatten().numpy(), location[i].flatten().numpy(), 4) for i in range(n)]
    np.testing.assert_allclose(found.exp(), expected, rtol=1e-8)


def test_256_levels_sum_to_1():
    location = torch.randn(1, 9, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_prob = LogisticMixture(3).log_prob(LEVELS.view(256, 1, 1, 1), location.expand(256, -1, -1, -1), None)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_all_pairs_of_levels_sum_to_1():
    """Two channels, where the second depends on the first."""
    location = torch.randn(1, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = torch.cartesian_prod(LEVELS, LEVELS)
    log_prob = LogisticMixture(2).log_prob(pairs, location.expand(len(pairs), -1), None)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-10)


def test_colours_around_a_narrow_peak_sum_to_1():
    location = torch.zeros(1, 10, dtype=torch.float64)
    location[0, 4:7], location[0, 7:] = -5.5, torch.tensor([0.4, -0.3, 0.2])
    near = LEVELS[128 - 18 : 128 + 18]
    colours = torch.cartesian_prod(near, near, near)
    log_prob = LogisticMixture(1).log_prob(colours, location.expand(len(colours), -1), None)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_one_component_of_one_channel_is_the_discretised_logistic():
    x, mean = LEVELS[::5].view(1, 1, 4, 13), torch.linspace(-1.2, 1.2, 52).double().view(1, 1, 4, 13)
    location = torch.cat([torch.zeros_like(mean), mean, torch.full_like(mean, math.log(0.1))], dim=1)
    expected = DiscretisedLogistic(scale=0.1).log_prob(x, mean, None)
    torch.testing.assert_close(LogisticMixture(1).log_prob(x, location, None), expected)


def test_mean_is_that_of_the_distribution():
    """Far from the ends of the range, where the outer bins have no mass."""
    location = torch.randn(1, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 4
    location[:, [3, 4, 9, 10]] = -3.5  # log-scales of both channels in both components
    likelihood, pairs = LogisticMixture(2), torch.cartesian_prod(LEVELS, LEVELS)
    p = likelihood.log_prob(pairs, location.expand(len(pairs), -1), None).exp()
    torch.testing.assert_close(likelihood.mean(location)[0], p @ pairs, atol=1e-3, rtol=0)


def test_another_number_of_outputs_is_refused():
    with pytest.raises(
        ValueError, match=r"location: got \(1, 2, 2\), expected \(6, 2, 2\).*likelihood: \$\{likelihood\}"
    ):
        LogisticMixture(2).log_prob(torch.zeros(3, 1, 2, 2), torch.zeros(3, 1, 2, 2), None)
    with pytest.raises(ValueError, match="components: got 0"):
        LogisticMixture(0)
