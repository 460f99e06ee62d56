"""FLD against a plain transcription of its definition and of the authors' fit, and what it answers to."""

import math

import numpy as np
import pytest
import torch

from ganvas.metrics import fld as module
from ganvas.metrics import neighbours
from ganvas.metrics.fld import divergence, fit, log_likelihoods, reference


def normal(n, d, seed, scale=1.0, shift=0.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def two_modes(n, seed):
    return normal(n, 5, seed) + 8 * (torch.arange(n) % 2)[:, None]


def squares(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(2)


def densities(squared, logs, d):
    return -0.5 * squared / np.exp(logs) - d / 2 * logs - d / 2 * np.log(2 * np.pi)


def log_mean_exp(a):
    top = a.max(1, keepdims=True)
    return (top + np.log(np.exp(a - top).mean(1, keepdims=True)))[:, 0]


def fitted(x, centres):
    """The variances by Adam as its paper writes it, on gradients by finite responsibilities, in numpy."""
    d, m = x.shape[1], len(centres)
    near, far = squares(x, centres), 0.81 * ((x - x.mean(0)) ** 2).sum(1, keepdims=True)
    theta = np.append(np.log((near.min(0) + 1e-3) / d), 0.0)
    first, second, losses = np.zeros(m + 1), np.zeros(m + 1), []
    for step in range(1, 51):
        a = np.hstack([densities(near, theta[:m], d) - np.log(m), densities(far, theta[m:], d)])
        top = a.max(1, keepdims=True)
        likelihood = top + np.log(np.exp(a - top).sum(1, keepdims=True))
        shares = np.exp(a - likelihood)
        gradient = -(shares * (np.hstack([near, far]) / (2 * np.exp(theta)) - d / 2)).mean(0) / d
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        theta = theta - 0.5 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        losses.append(-likelihood.mean() / d)
        if step > 6 and max(abs(losses[-1] - losses[-j]) for j in range(1, 6)) < 5e-4:
            break
    return theta[:m]


def published(train, held_out, fake, size):
    """Both mixtures, normalised by the held-out images; the first `size` training images are the real centres."""
    mean, deviation = held_out.mean(0), held_out.std(0, ddof=1)
    x, y, z = ((side - mean) / deviation for side in (train, held_out, fake))
    d = x.shape[1]
    nll = [
        -log_mean_exp(densities(squares(y, c), fitted(on, c), d)).mean() / d for c, on in ((z, x), (x[:size], x[size:]))
    ]
    return 100 * (nll[0] - nll[1])


@pytest.mark.parametrize("make", [lambda: normal(40, 6, 2, 1.2, 0.3), lambda: normal(100, 6, 0)[:40] + 0.05])
def test_it_is_the_published_divergence(make):
    train, held_out, fake = normal(100, 6, 0), normal(60, 6, 1, 1.1), make()
    order = torch.randperm(100, generator=torch.Generator().manual_seed(5))
    expected = published(*(x.double().numpy() for x in (train[order], held_out, fake)), 40)
    found = divergence(reference(train, held_out, centres=40, seed=5), fake)
    assert found.mean == pytest.approx(expected, abs=1e-5, rel=1e-7) and abs(expected) > 1


def test_the_likelihood_is_that_of_a_mixture_in_torch():
    x, centres, logs = normal(20, 3, 0).double(), normal(7, 3, 1).double(), normal(7, 1, 2)[:, 0].double()
    each = torch.distributions.Normal(centres, (logs / 2).exp()[:, None])
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(7).double()), torch.distributions.Independent(each, 1)
    )
    torch.testing.assert_close(log_likelihoods(x, centres, logs), mixture.log_prob(x))


@pytest.mark.parametrize(("block", "kept"), [(8 * 12 * 7, 10**9), (8 * 12 * 7, 4 * 12 * 20), (10**9, 0)])
def test_blocks_and_what_is_kept_of_them_change_nothing(monkeypatch, block, kept):
    train, centres = normal(50, 4, 0).double(), normal(12, 4, 1).double()
    whole = fit(train, centres)
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    monkeypatch.setattr(module, "_KEPT_BYTES", kept)
    torch.testing.assert_close(fit(train, centres), whole, rtol=1e-9, atol=1e-9)


def test_several_batches_make_a_step_each(monkeypatch):
    train, centres = normal(50, 4, 0).double(), normal(12, 4, 1).double()
    steps = []
    whole = module._gradient
    monkeypatch.setattr(module, "_BATCH", 20)
    monkeypatch.setattr(module, "_EPOCHS", 1)
    monkeypatch.setattr(module, "_gradient", lambda *a: steps.append(a[2]) or whole(*a))
    fit(train, centres)
    assert steps == [(0, 20), (20, 40), (40, 50)]


def test_real_images_score_about_zero_and_copies_noise_and_a_lost_mode_far_more():
    train, held_out, new = (two_modes(n, seed) for n, seed in ((400, 0), (200, 1), (150, 2)))
    real = reference(train, held_out, centres=150, seed=0)
    perfect = divergence(real, new).mean
    assert abs(perfect) < 10
    assert divergence(real, train[:150] + 1e-4).mean > perfect + 30
    assert divergence(real, normal(150, 5, 2, 20.0)).mean > perfect + 10
    assert divergence(real, new[0].repeat(150, 1) + normal(150, 5, 3)).mean > perfect + 10


def test_a_constant_feature_changes_no_likelihood():
    train, held_out, fake = normal(60, 4, 0), normal(40, 4, 1), normal(20, 4, 2)
    for x in (train, held_out, fake):
        x[:, 3] = 2.0
    assert math.isfinite(divergence(reference(train, held_out, centres=20, seed=0), fake).mean)


def test_its_error_is_that_of_other_held_out_images():
    """Both mixtures are held, and 60 held-out images are drawn again."""
    real = reference(normal(200, 3, 0), normal(4000, 3, 1), centres=60, seed=0)
    centres = normal(60, 3, 2, 1.2)
    whole = divergence(real, centres)
    logs = fit(real.train, (centres.double() - real.mean) / real.deviation)
    values = (
        100
        / 3
        * (real.log_likelihoods - log_likelihoods(real.held_out, (centres.double() - real.mean) / real.deviation, logs))
    )
    assert whole.standard_error == pytest.approx(float(values.std()) / 4000**0.5)
    parts = values.split(40)
    errors = np.array([float(part.std()) / 40**0.5 for part in parts])
    inside = [abs(float(p.mean()) - whole.mean) < 1.96 * e for p, e in zip(parts, errors, strict=True)]
    assert 0.87 <= np.mean(inside) <= 1.0


def test_the_kept_memory_is_what_it_says():
    assert module._KEPT_BYTES == 2 * 2**30 and neighbours.BLOCK_BYTES == 64 * 2**20
