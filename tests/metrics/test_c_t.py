"""C_T against a plain transcription of the paper's statistic, and what its sign and its interval promise."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from ganvas.metrics.c_t import Cells, Placed, c_t


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def published(train, held_out, fake, cells, components, least, seed):
    """Principal components, k-means with ten starts, a Z for each cell with more samples than `least`: in numpy."""
    if train.shape[1] > components:
        plane = PCA(components, svd_solver="full").fit(train)
        train, held_out, fake = (plane.transform(x) for x in (train, held_out, fake))
    means = KMeans(cells, n_init=10, random_state=seed).fit(train)
    of_train, of_held, of_fake = (means.predict(x) for x in (train, held_out, fake))
    total = weight = 0.0
    for c in range(cells):
        p, q, t = held_out[of_held == c], fake[of_fake == c], train[of_train == c]
        if len(q) / len(fake) > least / len(fake):
            n, m = len(p), len(q)
            u = mannwhitneyu(cdist(q, t).min(1), cdist(p, t).min(1), alternative="less").statistic
            z = (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
            total, weight = total + z * n / len(held_out), weight + n / len(held_out)
    return total / weight


def ours(train, held_out, fake, cells=3, components=64, least=20, seed=0):
    found = Cells(train, cells=cells, components=components, seed=seed)
    return c_t(found.place(held_out), found.place(fake), least=least)


@pytest.mark.parametrize(("d", "components", "cells"), [(5, 64, 3), (12, 4, 3), (5, 64, 6)])
def test_it_is_the_published_statistic(d, components, cells):
    train, held_out = normal(300, d, 0) + 3, normal(150, d, 1) + 3
    # Samples with copies, in one part of the space, so that cells differ in number.
    fake = torch.cat([normal(80, d, 2, 0.6) + 3.5, train[:40]])
    sides = [x.double().numpy() for x in (train, held_out, fake)]
    expected = published(*sides, cells, components, 20, 0)
    value, error = ours(train, held_out, fake, cells, components)
    assert value == pytest.approx(expected, abs=1e-5) and error > 0
    assert abs(expected) > 0.1


def test_by_hand():
    """Samples at 1, 3, 5.5 and held-out images at 2, 4: U = 3 of six pairs are won; a tie counts half."""
    p, q = (
        Placed(torch.zeros(len(x), dtype=torch.long), torch.tensor(x, dtype=torch.float64))
        for x in ([2.0, 4.0], [1.0, 3.0, 5.5])
    )
    z, error = c_t(p, q, least=1)
    assert z == pytest.approx((3 - 3 + 0.5) / np.sqrt(6 * 6 / 12))
    # Shares won by the samples: 0, 1/2, 1, lost by the held-out images: 1/3, 2/3; variances 1/4 and 1/18.
    assert error == pytest.approx(6 / np.sqrt(6 * 6 / 12) * np.sqrt(1 / 4 / 3 + 1 / 18 / 2))
    tied = Placed(torch.zeros(2, dtype=torch.long), torch.tensor([2.0, 4.0], dtype=torch.float64))
    assert c_t(tied, tied, least=1)[0] == pytest.approx(0.5 / np.sqrt(4 * 5 / 12))


def test_cells_with_few_samples_do_not_count():
    cells, distance = torch.tensor([0, 0, 0, 1]), torch.tensor([1.0, 2.0, 3.0, 9.0], dtype=torch.float64)
    p, q = Placed(cells, distance), Placed(cells, distance + 0.5)
    first = Placed(cells[:3], distance[:3])
    assert c_t(p, q, least=1) == c_t(first, Placed(cells[:3], distance[:3] + 0.5), least=1)
    with pytest.raises(ValueError, match="fake: c_t expects at least 4 images in a cell"):
        c_t(p, q, least=3)


def test_copies_are_far_below_zero_and_noise_far_above():
    train, held_out = normal(400, 4, 0), normal(200, 4, 1)
    assert ours(train, held_out, train[:200] + 0.01 * normal(200, 4, 2))[0] < -5
    assert ours(train, held_out, normal(200, 4, 2, 4.0))[0] > 5


def test_its_error_is_that_of_redrawn_images():
    """Samples wider than the data, so that Z is not standard normal; training images and cells are held."""
    cells, found = Cells(normal(400, 3, 0), cells=3, components=64, seed=0), []
    for s in range(120):
        held_out, fake = normal(150, 3, 1000 + s), normal(120, 3, 2000 + s, 1.3)
        found.append(c_t(cells.place(held_out), cells.place(fake), least=10))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)
    inside = np.abs(values - values.mean()) < 1.96 * errors
    assert 0.88 <= inside.mean() <= 0.99


def test_samples_of_a_perfect_model_are_about_zero():
    cells = Cells(normal(300, 3, 0), cells=3, components=64, seed=0)
    pairs = [(normal(100, 3, 10 + s), normal(100, 3, 500 + s)) for s in range(40)]
    values = [c_t(cells.place(p), cells.place(q), least=10)[0] for p, q in pairs]
    assert abs(np.mean(values)) < 0.35 and np.std(values) == pytest.approx(3**-0.5, rel=0.35)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="train: c_t in 3 cells expects at least 3 images, got 2"):
        Cells(normal(2, 3, 0), cells=3, components=64, seed=0)
