"""Gradients of the bounds against autograd of the explicit formula, draw by draw; and what is unbiased, by a grid."""

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform, TanhTransform

from ganvas.objectives import CIWAE, ELBO, IWAE, MIWAE, PIWAE, STL, Draws, DReG

K, GROUPS = 6, 2  # three draws in each group


def shares(log_w):
    return log_w.exp() / log_w.exp().sum(0)


def grouped(log_w):
    """Weights within two groups, of the even and the odd draws, divided by the number of groups."""
    found = torch.empty_like(log_w)
    for group in range(GROUPS):
        found[group::GROUPS] = shares(log_w[group::GROUPS]) / GROUPS
    return found


def equal(log_w):
    return torch.full_like(log_w, 1 / K)


def mixed(log_w):
    return 0.25 * equal(log_w) + 0.75 * shares(log_w)


# Objective, weights of the encoder's gradient, whether it goes through the draws alone, weights of decoder and prior.
CASES = {
    "elbo": (ELBO(K, beta=1.0, free_bits=0.0), equal, False, equal),
    "stl": (STL(K), equal, True, equal),
    "iwae": (IWAE(K), shares, False, shares),
    "dreg": (DReG(K), lambda w: shares(w) ** 2, True, shares),
    "ciwae": (CIWAE(K, elbo_share=0.25), mixed, False, mixed),
    "miwae": (MIWAE(K, groups=GROUPS), grouped, False, grouped),
    "piwae": (PIWAE(K, groups=GROUPS), grouped, False, shares),
}


def explicit(log_w, weights, parameters):
    """Sum over draws and images of weight times gradient of log w, one autograd call for each."""
    total = [torch.zeros_like(p) for p in parameters]
    for i in range(log_w.shape[0]):
        for j in range(log_w.shape[1]):
            gradients = torch.autograd.grad(log_w[i, j], parameters, retain_graph=True)
            total = [t - weights[i, j] * g / log_w.shape[1] for t, g in zip(total, gradients, strict=True)]
    return total


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_encoder_and_of_decoder_and_prior_are_those_of_the_formula(name, linear_gaussian):
    objective, of_encoder, path, of_networks = CASES[name]
    model = linear_gaussian(k=K)
    total = objective(model.draws()).total
    found = torch.autograd.grad(total, model.encoder, retain_graph=True)
    log_w = model.log_w().detach()
    expected = explicit(model.log_w(constant_posterior=path), of_encoder(log_w), model.encoder)
    torch.testing.assert_close(list(found), expected)
    found = torch.autograd.grad(total, model.networks)
    torch.testing.assert_close(list(found), explicit(model.log_w(), of_networks(log_w), model.networks))


def test_values_are_those_of_the_bounds(linear_gaussian):
    log_w = linear_gaussian(k=K).log_w().detach()
    iwae = log_w.exp().mean(0).log().mean()
    groups = torch.stack([log_w[group::GROUPS].exp().mean(0).log() for group in range(GROUPS)]).mean()
    elbo = log_w.mean()
    expected = {
        "elbo": elbo,
        "stl": elbo,
        "iwae": iwae,
        "dreg": iwae,
        "ciwae": 0.25 * elbo + 0.75 * iwae,
        "miwae": groups,
        "piwae": iwae,
    }
    for name, (objective, *_) in CASES.items():
        terms = objective(linear_gaussian(k=K).draws()).named()
        torch.testing.assert_close(terms["bound"], expected[name], msg=name)
        torch.testing.assert_close(terms["total"], -expected[name], msg=name)
        torch.testing.assert_close(terms["elbo"], elbo, msg=name)


# Unbiasedness: the noise is an equally weighted grid of normal quantiles, so that a mean over "images" integrates.


def quantiles(n):
    return torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def encoder_gradient(objective, model):
    return torch.stack([g.sum() for g in torch.autograd.grad(objective(model.draws()).total, model.encoder)])


def test_the_path_derivative_of_the_elbo_is_unbiased(linear_gaussian):
    """Against the closed form: the expected log-likelihood and the KL of a normal from the prior."""
    x, n = torch.tensor([[0.7, -0.3]], dtype=torch.float64), 20_000
    noise = quantiles(n).reshape(1, n, 1)
    found = encoder_gradient(STL(1), linear_gaussian(1, 2, noise=noise, x=x.expand(n, 2)))
    model = linear_gaussian(1, 2, noise=noise, x=x.expand(n, 2))
    a, b, log_s = model.encoder
    w, m = (p.detach() for p in model.networks)
    mean, variance = x @ a.T + b, (2 * log_s).exp()
    error = (x - mean @ w.T).square().sum() + w.square().sum() * variance
    kl = ((mean - m).square() + variance - 1).sum() / 2 - log_s
    exact = torch.autograd.grad((error / (2 * 0.25) + kl).sum(), model.encoder)
    torch.testing.assert_close(found, torch.stack([g.sum() for g in exact]), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(("objective", "other"), [(DReG(2), IWAE(2)), (PIWAE(2, groups=2), ELBO(2, 1.0, 0.0))])
def test_two_estimates_have_one_expectation(objective, other, linear_gaussian):
    side = quantiles(300)
    noise = torch.stack(torch.meshgrid(side, side, indexing="ij")).reshape(2, -1, 1)
    x = torch.tensor([[0.7, -0.3]], dtype=torch.float64).expand(noise.shape[1], 2)
    found, expected = (encoder_gradient(each, linear_gaussian(1, 2, noise=noise, x=x)) for each in (objective, other))
    assert expected.abs().min() > 0.05
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=1e-3)


def test_where_the_posterior_is_exact_sticking_the_landing_has_no_noise(linear_gaussian):
    model = linear_gaussian(latent=1, k=K)
    w, m = (p.detach() for p in model.networks)
    variance = 1 / (1 + w.square().sum() / 0.25)
    with torch.no_grad():
        model.encoder[0].copy_(variance * w.T / 0.25)
        model.encoder[1].copy_(variance * m)
        model.encoder[2].fill_(variance.log() / 2)
    for objective in (STL(K), DReG(K)):
        for gradient in torch.autograd.grad(objective(model.draws()).total, model.encoder):
            torch.testing.assert_close(gradient, torch.zeros_like(gradient))
    noisy = torch.autograd.grad(ELBO(K, 1.0, 0.0)(model.draws()).total, model.encoder)
    assert max(g.abs().max() for g in noisy) > 0.01


# Other posteriors than the diagonal normal.


def full(loc, scale):
    below = torch.tensor([[0.0, 0.0], [0.4, 0.0]], dtype=torch.float64) * loc.mean()
    return MultivariateNormal(loc, scale_tril=torch.diag_embed(scale) + below)


class Squashed(Independent):
    mean = torch.zeros(3, 2)


def squashed(loc, scale):
    steps = [AffineTransform(loc, scale, cache_size=1), TanhTransform(cache_size=1)]
    return Squashed(TransformedDistribution(Normal(torch.zeros_like(loc), 1.0), steps), 1)


@pytest.mark.parametrize("make", [full, squashed])
@pytest.mark.parametrize("name", ["stl", "dreg", "piwae"])
def test_the_formula_holds_for_any_posterior(name, make, linear_gaussian):
    objective, of_encoder, path, of_networks = CASES[name]
    model = linear_gaussian(k=K)
    parameters = [torch.randn(3, 2, dtype=torch.float64, requires_grad=True)]
    parameters.append(torch.rand(3, 2, dtype=torch.float64).add(0.3).requires_grad_())
    q = make(*parameters)
    z = q.rsample((K,))
    log_p = model.log_px_z(z) + model.log_pz(z)
    draws = Draws(model.log_px_z(z), model.log_pz(z), q.log_prob(z), None, z, q, n_train=10)
    total = objective(draws).total
    held = make(*(p.detach() for p in parameters)) if path else q
    log_w = log_p - held.log_prob(z)
    found = torch.autograd.grad(total, parameters, retain_graph=True)
    torch.testing.assert_close(list(found), explicit(log_w, of_encoder(log_w.detach()), parameters))
    found = torch.autograd.grad(total, model.networks)
    torch.testing.assert_close(list(found), explicit(log_p, of_networks(log_w.detach()), model.networks))


@pytest.mark.parametrize("groups", [0, 3, 8])
@pytest.mark.parametrize("objective", [MIWAE, PIWAE])
def test_draws_that_cannot_be_divided_are_refused(objective, groups):
    with pytest.raises(ValueError, match=f"groups: got {groups}, expected a divisor of samples=4"):
        objective(4, groups)


def test_bad_numbers_are_refused():
    for wrong in (lambda: STL(0), lambda: DReG(0), lambda: CIWAE(0, 0.5), lambda: MIWAE(0, 1)):
        with pytest.raises(ValueError, match="samples: got 0"):
            wrong()
    with pytest.raises(ValueError, match="elbo_share: got 1.5"):
        CIWAE(2, 1.5)
