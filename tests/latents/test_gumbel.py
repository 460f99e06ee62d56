"""Posteriors over categories against torch's distributions and the formulas written out by hand."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, OneHotCategorical, kl_divergence

from ganvas.latents import Codes, Gumbel, detached

SIZES = [3, 2]
DIM = 7


def made(n=4, training=True, temperature=0.5, straight_through=False):
    """A posterior over two normal coordinates and two codes, in float64, and its parameters."""
    family = Gumbel(SIZES, temperature, straight_through).train(training)
    generator = torch.Generator().manual_seed(0)
    parameters = torch.randn(n, family.outputs(DIM), generator=generator).double().requires_grad_()
    return family(parameters), parameters


def by_hand(parameters):
    """The same distribution of torch: normals and categories."""
    mean, log_variance, first, second = parameters.split([2, 2, *SIZES], dim=1)
    normal = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    return normal, [OneHotCategorical(logits=logits) for logits in (first, second)]


def test_the_divergence_is_torchs():
    posterior, parameters = made()
    normal, codes = by_hand(parameters)
    found = Codes(DIM, SIZES, 0).kl(posterior)
    standard = Normal(torch.zeros(2).double(), 1.0)
    torch.testing.assert_close(found[:, :2], kl_divergence(normal.base_dist, standard))
    for column, (code, size) in enumerate(zip(codes, SIZES, strict=True), start=2):
        uniform = Categorical(logits=torch.zeros(4, size).double())
        torch.testing.assert_close(found[:, column], kl_divergence(Categorical(logits=code.logits), uniform))


def test_the_probability_of_categories_is_torchs():
    posterior, parameters = made(training=False)
    normal, codes = by_hand(parameters)
    torch.manual_seed(0)
    z = posterior.rsample((5,))
    numbers, first, second = z.split([2, *SIZES], dim=-1)
    expected = normal.log_prob(numbers) + codes[0].log_prob(first) + codes[1].log_prob(second)
    torch.testing.assert_close(posterior.log_prob(z), expected)
    torch.testing.assert_close(posterior.mean, torch.cat([normal.mean, codes[0].mean, codes[1].mean], 1))
    variances = [normal.variance, codes[0].variance, codes[1].variance]
    torch.testing.assert_close(posterior.stddev, torch.cat(variances, 1).sqrt())


def test_draws_in_evaluation_have_the_probabilities():
    posterior, parameters = made(n=1, training=False)
    torch.manual_seed(0)
    z = posterior.rsample((20_000,))[:, 0]
    assert set(z[:, 2:].unique().tolist()) == {0.0, 1.0}
    expected = torch.cat([code.mean for code in by_hand(parameters)[1]], 1)[0]
    assert (z[:, 2:].mean(0) - expected).abs().max() < 4 * math.sqrt(0.25 / 20_000)


@pytest.mark.parametrize("straight_through", [False, True])
def test_draws_in_training_are_the_formula_and_so_is_their_gradient(straight_through):
    posterior, parameters = made(temperature=0.5, straight_through=straight_through)
    torch.manual_seed(0)
    z = posterior.rsample((2,))
    torch.manual_seed(0)
    normal, codes = by_hand(parameters)
    parts = [normal.rsample((2,))]
    for code, size in zip(codes, SIZES, strict=True):
        g = -torch.log(-torch.log(torch.rand(2, 4, size, dtype=torch.float64)))
        parts.append(((code.logits.log_softmax(-1) + g) / 0.5).exp())
        parts[-1] = parts[-1] / parts[-1].sum(-1, keepdim=True)
    explicit = torch.cat(parts, -1)
    weight = torch.linspace(-1, 1, explicit.numel()).double().view(explicit.shape)
    found, expected = (torch.autograd.grad((value * weight).sum(), parameters)[0] for value in (z, explicit))
    torch.testing.assert_close(found, expected)
    if not straight_through:
        torch.testing.assert_close(z, explicit)
        return
    for drawn, relaxed in zip(z.split([2, *SIZES], -1)[1:], parts[1:], strict=True):
        assert torch.equal(drawn.argmax(-1), relaxed.argmax(-1))
        assert set(drawn.unique().tolist()) == {0.0, 1.0} and torch.equal(drawn.sum(-1), torch.ones(2, 4).double())


def test_a_relaxed_draw_becomes_a_category_as_the_temperature_falls():
    torch.manual_seed(0)
    warm, cold = (made(temperature=t)[0].rsample((50,))[..., 2:5].max(-1).values.mean() for t in (5.0, 0.01))
    assert float(warm) < 0.6 and float(cold) > 0.98


def test_held_constant_it_stays_a_posterior_over_the_same_codes():
    posterior, _ = made()
    held = detached(posterior)
    torch.testing.assert_close(held.kl_by_part(), posterior.kl_by_part())
    assert not held.kl_by_part().requires_grad and held.temperature == posterior.temperature


def test_only_the_same_codes_have_a_divergence_in_closed_form():
    assert Codes(DIM, SIZES, 0).kl(Independent(Normal(torch.zeros(2, DIM), 1.0), 1)) is None
    assert Codes(DIM, SIZES, 0).one_hot == (slice(2, 5), slice(5, 7))
    assert (Codes(DIM, SIZES, 0).space, Codes(DIM, SIZES, 1).space) == ("codes", "codes and numbers")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gumbel([], 1.0, False), "expected at least one code"),
        (lambda: Gumbel([1], 1.0, False), "at least 2 categories"),
        (lambda: Gumbel([2], 0.0, False), "temperature above 0"),
        (lambda: Gumbel([4], 1.0, False).outputs(3), "4 categories, but 3 latents"),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
