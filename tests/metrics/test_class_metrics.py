"""Shares, distances and accuracies of classes against closed forms and calculations by hand."""

import math

import pytest
import torch
from scipy.stats import norm

from ganvas.extractors.features import Features
from ganvas.metrics.cas import right, trained_on
from ganvas.metrics.frechet import Moments, frechet_distance, frechet_error
from ganvas.metrics.intra_fd import class_distances, mean_distance
from ganvas.metrics.label_accuracy import expected_by_chance
from ganvas.metrics.registry import lower_is_better, scores
from ganvas.metrics.share import share


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (7, 9), (431, 1000)])
def test_a_share_has_wilsons_interval(hits, n):
    found = share(torch.arange(n) < hits, "images")
    p = hits / n
    centre, half = (p + 1 / (2 * n)) / (1 + 1 / n), math.sqrt(p * (1 - p) / n + 1 / (4 * n**2)) / (1 + 1 / n)
    assert found.value == p and found.sd == pytest.approx(half) and found.sd_over == f"{n} images, Wilson"
    assert found.interval == pytest.approx((centre - half, centre + half)) and found.interval[1] <= 1


def test_chance_is_the_agreement_of_independent_classes():
    logits = torch.eye(3)[torch.tensor([0, 0, 0, 1])]  # the classifier sees 3/4, 1/4, 0
    asked = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    assert expected_by_chance(logits, asked) == pytest.approx(0.5 * 0.75 + 0.3 * 0.25)


def normal(n, mean, sd, seed):
    """Draw values whose mean and deviation are exactly these."""
    x = torch.randn(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (x - x.mean()) / x.std() * sd + mean


def test_distances_on_one_feature_are_those_of_normals():
    real = torch.cat([normal(40, 0, 1, 0), normal(30, 5, 2, 1)]), torch.tensor([0] * 40 + [1] * 30)
    fake = torch.cat([normal(20, 3, 2, 2), normal(50, 6, 2, 3)]), torch.tensor([0] * 20 + [1] * 50)
    found = class_distances(real, fake, [0, 1])
    assert found[0].value == pytest.approx((3 - 0) ** 2 + (2 - 1) ** 2) and found[1].value == pytest.approx(1)
    assert (found[0].n_fake, found[1].n_fake) == (20, 50)
    mean, error = mean_distance(list(found.values()))
    assert mean == pytest.approx(5.5) and found[1].error > 0.1
    assert error == pytest.approx(math.hypot(found[0].error, found[1].error) / 2)
    assert list(class_distances(real, fake, [1])) == [1]


def test_one_class_has_the_distance_and_the_error_of_fd(settings):
    g = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(60, 5, generator=g) for _ in range(2))
    one = torch.zeros(60, dtype=torch.int64)
    (found,) = class_distances((real, one), (fake, one), [0]).values()
    sides = (Features(x, None, "toy", "0" * 64) for x in (real, fake))
    (fd,) = scores(*sides, ["fd"], settings).values()
    assert (found.value, found.error) == pytest.approx((fd.value, fd.sd)) and found.value > 0


def test_images_of_wrong_classes_are_seen_by_class_and_not_in_the_whole():
    real = torch.cat([normal(40, 0, 1, 0), normal(40, 8, 1, 1)])
    labels = torch.arange(80) // 40
    swapped = class_distances((real, labels), (real, 1 - labels), [0, 1])
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)
    assert [d.value for d in swapped.values()] == pytest.approx([64, 64])


def test_the_directions_of_class_scores():
    assert lower_is_better("score/mnist/intra_fd") is True and lower_is_better("best/mnist/intra_fd_7") is True
    assert lower_is_better("score/mnist/label_accuracy") is False and lower_is_better("score/cas/accuracy") is False
    assert lower_is_better("score/mnist/intra") is None and lower_is_better("score/mnist/accuracy") is None


def plain(n, seed, apart=20):
    """Draw images of one grey level, normal around 127 minus or plus ``apart`` by the class, deviation 20."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    levels = 127 + apart * (2 * labels - 1) + 20 * torch.randn(n, generator=g)
    return levels.round().clamp(0, 255).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8), labels


def test_a_classifier_trained_on_good_samples_reaches_the_bayes_rate():
    images, labels = plain(600, 0)
    test = plain(2000, 1)
    accuracy = float(right(trained_on(images, labels, 2, shown=5000, seed=0), *test).double().mean())
    assert accuracy == pytest.approx(norm.cdf(1), abs=0.03)  # levels are one deviation from the middle
    swapped = right(trained_on(images, 1 - labels, 2, shown=5000, seed=1), *test)
    assert float(swapped.double().mean()) == pytest.approx(norm.cdf(-1), abs=0.03)


def test_a_training_is_a_function_of_its_arguments():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (trained_on(*plain(40, 0), 2, shown=80, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state()) and not first.training
    parts = zip(first.parameters(), again.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b, _ in parts)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_error_of_a_class_is_that_over_its_images():
    g = torch.Generator().manual_seed(0)
    real, fake = torch.randn(30, 3, generator=g), torch.randn(50, 3, generator=g)
    labels = torch.tensor([0] * 20 + [1] * 30)

    found = class_distances((real, torch.ones(30, dtype=torch.int64)), (fake, labels), [1])[1]
    expected = frechet_error(Moments.of(real), Moments.of(fake[20:]), fake[20:])
    assert found.error == pytest.approx(expected)
