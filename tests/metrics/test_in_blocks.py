"""Metrics of features in files: the same as of equal features in memory, however small the blocks are."""

import math
from dataclasses import replace

import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.metrics import FEATURES, Score, blocks, feature_metric, nearest, neighbours_on_disk
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.frechet import Moments
from ganvas.metrics.registry import metrics, registered, scores, settings_of

SETTINGS = settings_of({"is_splits": 3, "kid_subsets": 4, "kid_subset_size": 50, "fd_infinity_points": 3})
ONE = Score(1.0, None, "")
IN_BLOCKS = [m.name for m in metrics().values() if m.in_blocks and m.from_features]


def side(seed, shift, n=130, d=6):
    """Features in float16, as from a file, and with equal numbers in float32; the first two images are copies."""
    draw = torch.Generator().manual_seed(seed)
    values, logits = (torch.randn(n, d, generator=draw) + shift for _ in range(2))
    values[1] = values[0]
    half = Features(values.half(), logits.half(), "x", "0" * 64)
    return half, Features(half.values.float(), half.logits.float(), "x", "0" * 64)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BYTES", 8 * 6 * 17)
    monkeypatch.setattr(neighbours_on_disk, "TILE", (31, 19))
    monkeypatch.setattr(nearest, "_ROWS", 31)
    monkeypatch.setattr(nearest, "_COLUMNS", 19)


@pytest.mark.filterwarnings("ignore:.*images have")
@pytest.mark.parametrize("name", IN_BLOCKS)
def test_a_metric_in_blocks_is_the_metric_in_memory(name):
    (real, real_32), (fake, fake_32) = side(0, 0.0), side(1, 0.5, n=141)
    compute = metrics()[name].compute
    expected = compute(Comparison(real_32, fake_32, SETTINGS))
    for pair in ((real, fake), (real_32, fake), (real, fake_32)):
        found = compute(Comparison(*pair, SETTINGS))
        assert found.value == pytest.approx(expected.value, rel=1e-9 if name != "kid_gaussian" else 1e-5)
        assert found.sd == pytest.approx(expected.sd, rel=1e-7 if name != "kid_gaussian" else 1e-4)


def test_the_other_metrics_get_their_features_in_memory():
    (real, real_32), (fake, fake_32), kinds = side(0, 0.0), side(1, 0.5), []
    toy = feature_metric("toy", FEATURES, True, lambda pair: kinds.append(pair.fake.values.dtype) or ONE, "a toy")
    for metric in (toy, replace(toy, in_blocks=True)):
        with registered(metric):
            scores(real, fake, ["toy"], SETTINGS)
    assert kinds == [torch.float32, torch.float16]
    found, expected = (scores(*pair, ["mind"], SETTINGS) for pair in ((real, fake), (real_32, fake_32)))
    assert found == expected


def test_moments_far_from_the_origin_lose_no_digits():
    draw = torch.randn(500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = Moments(*blocks.merged_moments(draw + 1e6))
    torch.testing.assert_close(found.covariance, torch.cov((draw + 1e6 - 1e6).T), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found.mean, (draw + 1e6).mean(0), rtol=1e-14, atol=0)


@pytest.mark.parametrize("itself", [False, True])
def test_the_nearest_of_a_file_is_the_nearest_in_memory(itself):
    (real, real_32), (fake, fake_32) = side(0, 0.0), side(1, 0.5)
    own = torch.arange(real.n) if itself else None
    queries = (real, real_32) if itself else (fake, fake_32)
    found = nearest.nearest(queries[0].values, real.values, own)
    expected = nearest.nearest(queries[1].values, real_32.values, own)
    assert torch.equal(found[1], expected[1]) and torch.equal(found[0], expected[0])
    assert not itself or not (found[1] == own).any()


def test_values_that_are_not_finite_are_found_in_any_block():
    (real, _), (fake, _) = side(0, 0.0), side(1, 0.5)
    fake.values[100, 3] = math.inf
    with pytest.raises(ValueError, match="fake: .* got 1 images with NaN"):
        scores(real, fake, ["fd"], SETTINGS)
