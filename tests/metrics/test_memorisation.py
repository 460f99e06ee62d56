"""The memorisation audit: copies are found, fresh draws are not, and its intervals hold what they promise."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganvas.health.checks import memorisation
from ganvas.metrics import nearest as module
from ganvas.metrics.memorisation import audit
from ganvas.metrics.nearest import nearest


def normal(n, d, seed):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("block", [64, 2**24])
def test_neighbours_are_scipys_in_any_block(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    # Far from the origin, where products in float32 would cancel.
    x, y = normal(40, 6, 0) + 1000, normal(30, 6, 1) + 1000
    distances = cdist(x.double().numpy(), y.double().numpy())
    found, index = nearest(x, y, own=None)
    np.testing.assert_allclose(found, distances.min(1), rtol=1e-12)
    assert index.tolist() == distances.argmin(1).tolist()


def test_an_image_is_not_its_own_neighbour():
    x = normal(30, 4, 0)
    distances = cdist(x.double().numpy(), x.double().numpy())
    np.fill_diagonal(distances, np.inf)
    rows = torch.tensor([3, 29, 0])
    found, index = nearest(x[rows], x, own=rows)
    np.testing.assert_allclose(found, distances.min(1)[rows], rtol=1e-12)
    assert index.tolist() == distances.argmin(1)[rows].tolist()


def test_authenticity_by_hand():
    train = torch.tensor([[0.0], [1.0], [10.0], [14.0]])
    # Distances .5, 2, 3, 5 from 0, 1, 10 and 14, whose own neighbours are at 1, 1, 4 and 4.
    fake = torch.tensor([[-0.5], [3.0], [7.0], [19.0]])
    found = audit(train, torch.tensor([[-2.0], [12.5]]), fake, quantile=0.5, pairs=4)
    assert found.authentic.fake == 0.5
    assert found.authentic.held_out == 0.5
    assert found.threshold == 1.5
    assert (found.close.fake, found.close.held_out) == (0.25, 0.5)
    assert found.pairs.fake.tolist() == [0, 2, 3, 1]
    assert found.pairs.train.tolist() == [0, 2, 3, 1]
    assert found.pairs.distance.tolist() == [0.5, 3.0, 5.0, 2.0]
    assert found.pairs.ratio.tolist() == [0.5, 0.75, 1.25, 2.0]


def test_copies_are_all_flagged():
    train, held_out = normal(500, 8, 0), normal(300, 8, 1)
    found = audit(train, held_out, train[100:150], quantile=0.01, pairs=3)
    assert (found.close.fake, found.authentic.fake) == (1.0, 0.0)
    assert found.pairs.distance.tolist() == [0.0] * 3
    assert (found.pairs.train - found.pairs.fake).tolist() == [100] * 3
    assert [v.state for v in memorisation(found)] == ["warn", "warn"]


def test_copies_are_flagged_where_the_data_has_duplicates():
    train = normal(100, 8, 0).repeat(2, 1)
    held_out = torch.cat([train[:10], normal(290, 8, 1)])
    found = audit(train, held_out, train[:50], quantile=0.01, pairs=2)
    assert (found.threshold, found.close.fake, found.authentic.fake) == (0.0, 1.0, 0.0)
    assert found.close.held_out == pytest.approx(10 / 300)
    assert found.pairs.ratio.tolist() == [0.0, 0.0]
    assert [v.state for v in memorisation(found)] == ["warn", "warn"]


def test_a_few_near_copies_among_honest_samples_are_found():
    train, held_out, fake = normal(1000, 8, 0), normal(1000, 8, 1), normal(1000, 8, 2)
    fake[500:540] = train[:40] + 0.01 * normal(40, 8, 3)
    found = audit(train, held_out, fake, quantile=0.01, pairs=40)
    assert sorted(found.pairs.fake.tolist()) == list(range(500, 540))
    assert memorisation(found)[0].state == "warn"


def test_fresh_draws_are_flagged_as_rarely_as_promised():
    # 1% each, of 200 tries; six or more are seen once in 60.
    found = [
        audit(normal(200, 4, 3 * s), normal(150, 4, 3 * s + 1), normal(250, 4, 3 * s + 2), quantile=0.05, pairs=0)
        for s in range(200)
    ]
    for kind in ("close", "authentic"):
        shares = [getattr(f, kind) for f in found]
        assert sum(not s.interval[0] <= s.fake <= s.interval[1] for s in shares) <= 6
        assert abs(np.mean([s.fake - s.held_out for s in shares])) < 0.01
    # The intervals are not so wide that they would hold anything.
    assert np.mean([f.close.interval[1] for f in found]) < 0.2
    assert sum(v.state == "warn" for f in found for v in memorisation(f)) <= 7


def test_interval_is_that_of_the_order_statistic():
    # Uniform distances of 20 held-out and 50 fresh images, ranked directly.
    random = np.random.RandomState(0)
    held_out, fresh = np.sort(random.rand(20_000, 20))[:, 1], random.rand(20_000, 50)
    shares = (fresh <= held_out[:, None]).mean(1)
    train = torch.arange(0, 4000, 100.0)[:, None]
    held = torch.linspace(1, 40, 20)[:, None]
    found = audit(train, held, torch.zeros(50, 1), quantile=0.1, pairs=0)
    assert found.close.interval == pytest.approx(tuple(np.quantile(shares, [0.005, 0.995])), abs=0.021)


def test_bad_input_is_refused():
    x = normal(10, 3, 0)
    with pytest.raises(ValueError, match="train: the memorisation audit expects at least 2 images, got 1"):
        audit(x[:1], x, x, quantile=0.1, pairs=1)
    with pytest.raises(ValueError, match="fake: .* finite"):
        audit(x, x, x * math.nan, quantile=0.1, pairs=1)
    with pytest.raises(ValueError, match="0 < quantile < 1"):
        audit(x, x, x, quantile=1.0, pairs=1)
