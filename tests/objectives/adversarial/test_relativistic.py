"""The relativistic game of pairs, by hand and by its invariances."""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from ganvas.objectives import Relativistic


def test_losses_by_hand():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 1.0])
    critic = Relativistic().critic_terms(real, fake)
    generator = Relativistic().generator_terms(fake, real)
    assert critic.total.item() == pytest.approx(sum(math.log1p(math.exp(d)) for d in (-1.5, 2.0)) / 2)
    assert generator.total.item() == pytest.approx(sum(math.log1p(math.exp(d)) for d in (1.5, -2.0)) / 2)
    assert (critic.real_score.item(), critic.fake_score.item()) == (0.5, 0.75)


def test_equal_scores_cost_log_2_and_a_constant_changes_nothing():
    real, fake = torch.randn(9), torch.randn(9)
    assert Relativistic().critic_terms(real, real).total.item() == pytest.approx(math.log(2))
    for shifted in (Relativistic().critic_terms(real + 3, fake + 3), Relativistic().critic_terms(real, fake)):
        torch.testing.assert_close(shifted.total, -logsigmoid(real - fake).mean())


def test_the_generator_descends_against_the_critic_pair_by_pair():
    real, fake = torch.randn(9), torch.randn(9, requires_grad=True)
    (up,) = torch.autograd.grad(Relativistic().generator_terms(fake, real).total, fake)
    torch.testing.assert_close(up, -torch.sigmoid(real - fake.detach()) / 9)


def test_what_is_no_pair_is_refused():
    with pytest.raises(ValueError, match=r"^real, fake: got \(3, 4\)"):
        Relativistic().critic_terms(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="^real: got None"):
        Relativistic().generator_terms(torch.zeros(3))
