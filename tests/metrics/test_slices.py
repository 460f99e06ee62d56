"""MIND and the sliced Wasserstein distance against published formulas, shifts, and redrawn images."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from ganvas.extractors.features import Features
from ganvas.metrics import slices
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.registry import metrics, settings_of
from ganvas.metrics.slices import sliced


def draw(n, seed, scale=1.0, shift=0.0, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + shift


def measured(name, real, fake, **settings):
    sides = (Features(x, None, "toy", "0" * 64) for x in (real, fake))
    return metrics()[name].compute(Comparison(*sides, settings_of(settings)))


def drawn_as_published(real, fake, directions, seed):
    """Subsets and directions in the order of torch-fidelity: of the generated images first."""
    generator = torch.Generator().manual_seed(seed)
    n = min(len(real), len(fake))
    if len(fake) > n:
        fake = fake[torch.randperm(len(fake), generator=generator)[:n]]
    if len(real) > n:
        real = real[torch.randperm(len(real), generator=generator)[:n]]
    u = torch.randn(directions, real.shape[1], generator=generator).double().numpy()
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return real.double().numpy() @ u.T, fake.double().numpy() @ u.T


@pytest.mark.parametrize(("n", "m"), [(30, 30), (50, 20), (20, 50)])
def test_both_are_the_published_formulas(n, m):
    real, fake = draw(n, 0), draw(m, 1, 0.8, 0.4)
    x, y = drawn_as_published(real, fake, 40, 2020)
    mind = 3 * 6 * np.mean((np.sort(x, axis=0) - np.sort(y, axis=0)) ** 2)
    assert measured("mind", real, fake, mind_directions=40).value == pytest.approx(mind, rel=1e-5)
    swd = np.mean([wasserstein_distance(a, b) for a, b in zip(x.T, y.T, strict=True)])
    found = measured("swd", real, fake, swd_directions=40)
    assert found.value == pytest.approx(swd, rel=1e-5)
    assert found.sd_over == f"{min(n, m)} generated images, first order"


def test_a_shift_is_three_times_its_square_in_mind_over_many_directions():
    real = draw(40, 0)
    found = measured("mind", real, real + torch.tensor([3.0, 4.0, 0, 0, 0, 0]), mind_directions=20_000)
    assert found.value == pytest.approx(3 * 25.0, rel=0.03)


def test_blocks_of_directions_change_nothing(monkeypatch):
    sides = draw(30, 0), draw(30, 1, 0.7)
    whole = sliced(*sides, power=2, directions=17, seed=3)
    monkeypatch.setattr(slices, "BYTES", 8 * 30 * 4)
    parts = sliced(*sides, power=2, directions=17, seed=3)
    assert (parts.value, parts.error) == pytest.approx((whole.value, whole.error), rel=1e-9)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("scale", "shift"), [(0.6, 0.0), (1.0, 0.7)])
def test_the_error_is_what_the_distance_moves_by_when_images_are_drawn_again(power, scale, shift):
    real = draw(200, 0)
    found = [sliced(real, draw(200, s, scale, shift), power=power, directions=30, seed=1) for s in range(1, 101)]
    assert np.mean([f.error for f in found]) == pytest.approx(np.std([f.value for f in found]), rel=0.25)
