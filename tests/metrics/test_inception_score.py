"""The Inception Score at its two ends and against its formula."""

import pytest
import torch

from ganvas.metrics.inception_score import inception_score


def one_hot(labels, classes):
    return 100.0 * torch.nn.functional.one_hot(labels, classes).float()


def test_constant_predictions_score_one():
    mean, sd = inception_score(torch.randn(1, 10).repeat(200, 1), splits=10, seed=0)
    assert mean == pytest.approx(1.0, abs=1e-9) and sd == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("classes", [2, 10])
def test_balanced_sure_predictions_score_the_number_of_classes(classes):
    mean, sd = inception_score(one_hot(torch.arange(50 * classes) % classes, classes), splits=1, seed=0)
    assert mean == pytest.approx(classes, rel=1e-9) and sd == 0.0


def test_one_split_is_the_formula():
    logits = torch.randn(300, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = torch.distributions.Categorical(logits=logits)
    marginal = torch.distributions.Categorical(probs=p.probs.mean(0))
    expected = torch.distributions.kl_divergence(p, marginal).mean().exp().item()
    assert inception_score(logits, splits=1, seed=0)[0] == pytest.approx(expected, rel=1e-12)


def test_a_missing_class_lowers_the_score_to_those_left():
    mean, _ = inception_score(one_hot(torch.arange(900) % 9, 10), splits=1, seed=0)
    assert mean == pytest.approx(9.0, rel=1e-9)


def test_the_shuffle_undoes_an_order_by_class_and_follows_the_seed():
    ordered = one_hot(torch.arange(1000) // 100, 10)
    assert inception_score(ordered, splits=10, seed=0)[0] > 8
    noisy = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    assert inception_score(noisy, splits=10, seed=1) == inception_score(noisy, splits=10, seed=1)
    assert inception_score(noisy, splits=10, seed=1) != inception_score(noisy, splits=10, seed=2)


def test_fewer_than_two_images_a_split_are_refused():
    with pytest.raises(ValueError, match="10 splits expects at least 20 images, got 19"):
        inception_score(torch.randn(19, 10), splits=10, seed=0)
