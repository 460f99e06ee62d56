"""The relativistic average, label smoothing and top-k training, by hand."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ganvas.objectives import Hinge, Minimax, NonSaturating, Relativistic, RelativisticAverage, Smoothed, TopK


def test_the_relativistic_average_is_two_cross_entropies():
    real, fake = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([0.5, 1.0, -2.0])
    ones, zeros = torch.ones(3), torch.zeros(3)
    expected = binary_cross_entropy_with_logits(real - fake.mean(), ones)
    expected += binary_cross_entropy_with_logits(fake - real.mean(), zeros)
    torch.testing.assert_close(RelativisticAverage().critic_terms(real, fake).total, expected)
    swapped = binary_cross_entropy_with_logits(real - fake.mean(), 1 - ones)
    swapped += binary_cross_entropy_with_logits(fake - real.mean(), 1 - zeros)
    torch.testing.assert_close(RelativisticAverage().generator_terms(fake, real).total, swapped)


def test_smoothing_is_a_soft_target_of_real_examples_only():
    real, fake = torch.randn(5), torch.randn(4)
    expected = binary_cross_entropy_with_logits(real, torch.full((5,), 0.9))
    expected += binary_cross_entropy_with_logits(fake, torch.zeros(4))
    torch.testing.assert_close(Smoothed(0.1).critic_terms(real, fake).total, expected)
    torch.testing.assert_close(Smoothed(0.1).generator_terms(fake).total, NonSaturating().generator_terms(fake).total)


def test_the_best_smoothed_discriminator_is_never_sure():
    """Where real and generated examples are equally likely, the best score is the logit of (1 - s) / 2."""
    score = torch.tensor([math.log(0.45 / 0.55)], requires_grad=True)
    (slope,) = torch.autograd.grad(Smoothed(0.1).critic_terms(score, score).total, score)
    assert slope.item() == pytest.approx(0, abs=1e-6)


def test_top_k_learns_from_the_largest_scores():
    fake = torch.tensor([0.0, 3.0, -1.0, 2.0, 1.0], requires_grad=True)
    (slope,) = torch.autograd.grad(TopK(Hinge(), share=0.5).generator_terms(fake).total, fake)
    torch.testing.assert_close(slope, torch.tensor([0.0, -1 / 3, 0.0, -1 / 3, -1 / 3]))
    real = torch.randn(5)
    assert TopK(Hinge(), 0.5).critic_terms(real, fake).total == Hinge().critic_terms(real, fake).total


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"^smoothing: got 0.0, expected a number between 0 and 1"):
        Smoothed(0.0)
    with pytest.raises(ValueError, match=r"^share: got 0.0, expected a number above 0"):
        TopK(Hinge(), 0.0)
    with pytest.raises(ValueError, match=r"^inner: got '?Relativistic'?, expected an objective without pairs"):
        TopK(Relativistic(), 0.5)


def test_the_minimax_generator_sees_the_critics_whole_loss_where_the_critic_looks_ahead():
    real, fake = torch.randn(5), torch.randn(5)
    critic = Minimax().critic_terms(real, fake).total
    torch.testing.assert_close(Minimax().generator_terms(fake, real).total, -critic)
    alone = Minimax().generator_terms(fake).total
    torch.testing.assert_close(alone, -binary_cross_entropy_with_logits(fake, torch.zeros(5)))
