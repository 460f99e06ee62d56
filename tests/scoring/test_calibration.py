"""Floor and ceiling rows have the score's own n, and stand where they should."""

import pytest
import torch

from ganvas.extractors.features import Features, extract
from ganvas.metrics.frechet import frechet_distance
from ganvas.metrics.kid import kernel_distance
from ganvas.scoring.calibration import ceiling, floor
from ganvas.scoring.worst import uniform_noise


@pytest.fixture(scope="module")
def sides(mnist_extractor, digits):
    images, labels = digits
    held_out, train = images[:400], images[400:1000]
    one_class = images[400:1000][labels[400:1000] == 1]
    noise = uniform_noise(300, (1, 28, 28), seed=0)
    return [extract(mnist_extractor, x, 100) for x in (held_out, train, one_class, noise)]


@pytest.mark.filterwarnings("ignore:.*copies or more")
def test_rows_are_in_order(sides, settings):
    held_out, train, one_class, noise = sides
    low = floor(held_out, train, 300, ["fd", "recall", "coverage"], settings)
    worst = [ceiling(held_out, x, 300, ["fd", "recall", "coverage"], settings) for x in (one_class, noise)]
    assert low.n == worst[0].n == worst[1].n == 300
    for row in worst:
        assert low.scores["score/mnist/fd"].value < row.scores["score/mnist/fd"].value / 5
        assert low.scores["score/mnist/coverage"].value > row.scores["score/mnist/coverage"].value + 0.5


def features(values):
    return Features(values, None, "mnist", "0" * 64)


def test_n_images_are_drawn_once_each_with_the_settings_seed(settings):
    held_out = features(torch.randn(30, 2, generator=torch.Generator().manual_seed(0)))
    pool = features(torch.arange(200.0).view(100, 2))
    index = torch.randperm(100, generator=torch.Generator().manual_seed(2020))[:40]
    expected = frechet_distance(held_out.values, pool.values[index])
    assert floor(held_out, pool, 40, ["fd"], settings).scores["score/mnist/fd"].value == pytest.approx(expected)
    assert ceiling(held_out, pool, 40, ["fd"], settings).scores["score/mnist/fd"].value == pytest.approx(expected)
    other = floor(held_out, pool, 40, ["fd"], settings.replace(seed=1)).scores["score/mnist/fd"].value
    assert other != pytest.approx(expected)


def test_too_few_training_images_lower_n_and_say_so(sides, settings):
    held_out, train, *_ = sides
    assert floor(held_out, train, 10_000, ["fd"], settings).n == 600


@pytest.mark.filterwarnings("ignore:.*copies or more")
def test_a_class_with_fewer_images_repeats_as_a_collapsed_generator_does(sides, settings):
    held_out, _, one_class, _ = sides
    row = ceiling(held_out, one_class, 500, ["recall"], settings)
    assert one_class.n < 500 == row.n and row.scores["score/mnist/recall"].value < 0.3


@pytest.mark.parametrize("row", [floor, ceiling])
def test_n_is_checked(sides, settings, row):
    with pytest.raises(ValueError, match="n: expected at least 1, got 0"):
        row(*sides[:2], 0, ["fd"], settings)


def test_noise_is_uniform_and_follows_its_seed():
    noise = uniform_noise(50, (3, 16, 16), seed=1)
    assert noise.shape == (50, 3, 16, 16) and noise.dtype == torch.uint8
    assert noise.min() == 0 and noise.max() == 255 and noise.float().mean() == pytest.approx(127.5, abs=1.5)
    torch.manual_seed(3)
    assert torch.equal(uniform_noise(50, (3, 16, 16), seed=1), noise)
    assert not torch.equal(uniform_noise(50, (3, 16, 16), seed=2), noise)


def test_the_kernel_distance_of_a_row_is_over_the_first_tenth_of_the_scores_subsets(settings):
    g = torch.Generator().manual_seed(0)
    held_out, pool = features(torch.randn(150, 6, generator=g)), features(torch.randn(150, 6, generator=g) + 0.2)
    index = torch.randperm(150, generator=torch.Generator().manual_seed(2020))[:120]
    expected, _ = kernel_distance(held_out.values, pool.values[index], subsets=2, size=100, seed=2020)
    assert floor(held_out, pool, 120, ["kid"], settings).scores["score/mnist/kid"].value == expected
