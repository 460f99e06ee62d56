"""Minimax and non-saturating: the cross-entropy's optimum, and each generator's gradient derived by hand."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon

from ganvas.objectives import Minimax, NonSaturating

GAMES = [Minimax(), NonSaturating()]
REAL = torch.tensor([8, 6, 4, 2])  # counts of four outcomes: means over these batches are exact expectations
FAKE = torch.tensor([2, 2, 6, 10])


def scores(logit):
    return logit.repeat_interleave(REAL), logit.repeat_interleave(FAKE)


@pytest.mark.parametrize("game", GAMES)
def test_zero_logits_cost_two_log_two(game):
    terms = game.critic_terms(torch.zeros(7), torch.zeros(5))
    assert terms.total == pytest.approx(2 * math.log(2))
    assert terms.js_bound == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("game", GAMES)
def test_optimal_discriminator_gives_the_jensen_shannon_divergence(game):
    p, q = REAL.double() / 20, FAKE.double() / 20
    terms = game.critic_terms(*scores(torch.log(p / q)))
    js = jensenshannon(p.numpy(), q.numpy()) ** 2  # scipy's is the square root
    assert terms.js_bound.item() == pytest.approx(js)
    assert terms.total.item() == pytest.approx(2 * math.log(2) - 2 * js)


@pytest.mark.parametrize("game", GAMES)
def test_no_other_discriminator_exceeds_it(game):
    best = torch.log(REAL / FAKE)
    optimum = game.critic_terms(*scores(best)).js_bound
    for seed in range(10):
        noise = torch.randn(4, generator=torch.Generator().manual_seed(seed))
        assert game.critic_terms(*scores(best + noise)).js_bound < optimum


def test_generator_gradients_by_hand():
    s = torch.tensor([-6.0, -1.0, 0.0, 2.0], requires_grad=True)
    (minimax,) = torch.autograd.grad(Minimax().generator_terms(s).total, s)
    (non_saturating,) = torch.autograd.grad(NonSaturating().generator_terms(s).total, s)
    d = torch.sigmoid(s.detach())
    torch.testing.assert_close(minimax, -d / 4)  # d/ds log(1 - sigmoid(s)) = -sigmoid(s)
    torch.testing.assert_close(non_saturating, -(1 - d) / 4)  # d/ds -log sigmoid(s) = sigmoid(s) - 1
    assert minimax[0].abs() < 0.01 < non_saturating[0].abs()  # only one of them saturates where the fake is found out


def test_minimax_is_zero_sum_in_the_generators_part():
    real, fake = torch.randn(6), torch.randn(6)
    both = Minimax().critic_terms(real, fake).total + Minimax().generator_terms(fake).total
    torch.testing.assert_close(both, torch.nn.functional.softplus(-real).mean())


@pytest.mark.parametrize("game", GAMES)
def test_extreme_logits_stay_finite(game):
    s = torch.tensor([-1e4, 1e4])
    assert game.critic_terms(s, s).total == pytest.approx(1e4)
    assert torch.isfinite(game.generator_terms(s).total)
