"""Probabilistic precision and recall against their definition in numpy, by hand, and with the sides exchanged."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganvas.extractors.features import Features
from ganvas.metrics import probabilistic_precision_recall as module
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.probabilistic_precision_recall import METRICS, inclusion


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def both(real, fake, settings):
    pair = Comparison(*(Features(x, None, "synthetic", "0" * 64) for x in (real, fake)), settings)
    return [metric.compute(pair) for metric in METRICS]


def published(real, fake, a, k):
    """The authors' scoring rule: f falls from 1 to 0 at a times the mean distance to the k-th neighbour."""
    found = []
    for of, by in ((fake, real), (real, fake)):
        reach = a * np.sort(cdist(by, by), axis=1)[:, k].mean()
        f = np.maximum(1 - cdist(by, of) / reach, 0)
        found.append((1 - np.prod(1 - f, axis=0)).mean())
    return found


@pytest.mark.parametrize(
    ("a", "k", "scale", "block"), [(1.2, 4, 1.0, 2**26), (1.1, 2, 1.2, 8 * 60 * 9), (2.0, 6, 0.7, 2**26)]
)
def test_they_are_the_published_scores(settings, monkeypatch, a, k, scale, block):
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    real, fake = normal(90, 8, 0) + 1, normal(60, 8, 1, scale) + 1
    expected = published(real.double().numpy(), fake.double().numpy(), a, k)
    found = both(real, fake, settings.replace(p_scale=a, p_neighbours=k))
    assert [score.value for score in found] == pytest.approx(expected, abs=1e-5)
    assert 0.01 < min(expected) and max(expected) < 1 and found[0].value != found[1].value
    assert found[0].sd_over == "60 generated images, real balls held"
    assert found[1].sd_over == "90 real images, generated balls held"


def test_by_hand():
    """Of real 0 and 3 with reach 2: sample 1 has 1 - 1/2 by the first, sample 2 by the second; 1.5: 1 - (3/4)^2."""
    real, fake = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [2.0], [1.5], [9.0], [3.0]])
    found = inclusion(real, fake, real_reach=2.0, fake_reach=1.0)
    np.testing.assert_allclose(found.fake_in_real, [0.5, 0.5, 7 / 16, 0, 1])
    np.testing.assert_allclose(found.real_in_fake, [0, 1])


def test_copies_have_no_reach_but_contain_themselves():
    found = inclusion(torch.zeros(3, 2), torch.tensor([[0.0, 0.0], [1.0, 0.0]]), real_reach=0.0, fake_reach=1.0)
    assert found.fake_in_real.tolist() == [1.0, 0.0]


def test_exchanging_the_sides_turns_one_into_the_other(settings):
    real, fake = normal(70, 4, 0), normal(50, 4, 1, 0.6)
    there, back = both(real, fake, settings), both(fake, real, settings)
    assert [x.value for x in there] == pytest.approx([x.value for x in back[::-1]])


def test_an_outlier_does_not_contain_the_samples(settings):
    """A real outlier far away has a ball so large that precision counts everything in it; P-precision does not."""
    real = torch.cat([normal(99, 2, 0), torch.full((1, 2), 60.0)])
    p, _ = both(real, torch.full((20, 2), 30.0) + normal(20, 2, 1), settings)
    assert p.value < 0.05


def test_the_errors_are_those_of_redrawn_images(settings):
    real, found = normal(150, 4, 0), []
    for seed in range(60):
        found.append(both(real, normal(100, 4, 100 + seed), settings)[0])
    true = np.std([x.value for x in found])
    assert np.mean([x.sd for x in found]) == pytest.approx(true, rel=0.3)
