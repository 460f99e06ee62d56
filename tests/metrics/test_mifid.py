"""MiFID against a transcription of the competition's code, the parts of torchmetrics' one, and copies."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.mifid import _mifid_compute

from ganvas.extractors.features import Features
from ganvas.metrics import mifid as module
from ganvas.metrics.mifid import cosine_distances, mifid


def normal(n, d, seed, scale=1.0, shift=0.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def features(values):
    return Features(values, None, "synthetic", "0" * 64)


def published(fake, train, threshold):
    """FID of two sets, divided by the mean smallest cosine distance of the samples if it is below the threshold."""
    y, x = (
        side[side.sum(1) != 0] / np.linalg.norm(side[side.sum(1) != 0], axis=1, keepdims=True) for side in (fake, train)
    )
    s = np.mean([min(1 - abs(a @ b) for b in x) for a in y])
    c1, c2 = np.cov(fake, rowvar=False), np.cov(train, rowvar=False)
    fid = ((fake.mean(0) - train.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    return fid / ((s if s < threshold else 1) + 1e-14), s


@pytest.mark.parametrize("threshold", [0.1, 1e-4])
def test_it_is_the_published_score(threshold):
    train, fake = normal(80, 5, 0, shift=1.5), normal(60, 5, 1, 1.2, 1.5)
    train[3], fake[:2] = 0, 0  # images without a direction
    value, s = published(fake.double().numpy(), train.double().numpy(), threshold)
    found = mifid(features(train), features(fake), threshold=threshold)
    assert found.value == pytest.approx(value, rel=1e-6) and found.distance == pytest.approx(s, abs=1e-9)
    assert 1e-4 < s < 0.1


def test_it_is_that_of_torchmetrics_with_its_sides_exchanged():
    """torchmetrics takes the nearest sample of each real image; the paper the nearest real image of each sample."""
    train, fake = normal(80, 5, 0, shift=1.5).double(), normal(60, 5, 1, 1.2, 1.5).double()
    sides = [(x.mean(0), torch.cov(x.T), x) for x in (fake, train)]
    expected = _mifid_compute(*sides[0], *sides[1])
    assert mifid(features(train), features(fake), threshold=0.1).value == pytest.approx(float(expected), rel=1e-6)
    exchanged = _mifid_compute(*sides[1], *sides[0])
    assert float(exchanged) != pytest.approx(float(expected), rel=1e-2)


def test_copies_and_opposites_have_distance_zero_in_any_block(monkeypatch):
    train = normal(40, 6, 0)
    fake = torch.cat([3 * train[5:7], -train[:1], normal(5, 6, 1)])
    whole = cosine_distances(fake, train)
    np.testing.assert_allclose(whole[:3], 0, atol=1e-14)
    assert whole[3:].min() > 1e-3
    monkeypatch.setattr(module, "_BLOCK", 40 * 3)
    torch.testing.assert_close(cosine_distances(fake, train), whole)


def test_a_model_that_copies_scores_worse_than_new_images():
    train = normal(200, 6, 0, shift=1.0)
    new = mifid(features(train), features(normal(100, 6, 1, shift=1.0)), threshold=0.1)
    copies = mifid(features(train), features(train[:100] + 1e-3 * normal(100, 6, 2)), threshold=0.1)
    assert copies.distance < new.distance / 100 and copies.value > 10 * new.value


def test_its_error_is_that_of_redrawn_samples():
    train, found = features(normal(300, 4, 0, shift=2.0)), []
    for seed in range(80):
        fake = normal(200, 4, 100 + seed, 1.5, 2.0)
        found.append(mifid(train, features(fake), threshold=0.1))
    for name, error in (("value", "error"), ("distance", "distance_error")):
        values, errors = (np.array([getattr(x, field) for x in found]) for field in (name, error))
        assert errors.mean() == pytest.approx(values.std(), rel=0.25), name
        assert 0.86 <= (np.abs(values - values.mean()) < 1.96 * errors).mean() <= 1.0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="fake: mifid expects at least 2 images, got 1"):
        mifid(features(normal(9, 3, 0)), features(normal(1, 3, 0)), threshold=0.1)
    with pytest.raises(ValueError, match="fake: mifid expects features that are not all zero, got 4 such images"):
        mifid(features(normal(9, 3, 0)), features(torch.zeros(4, 3)), threshold=0.1)
