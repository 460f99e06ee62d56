"""Importance weighted bound: one sample, many samples, its gradient, and a model whose evidence is known exactly."""

import itertools

import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import Independent, Normal

from ganvas.latents import normal_kl
from ganvas.objectives import ELBO, IWAE, Draws, Gaussian, iwae_bound, log_weights

PRIOR = Independent(Normal(torch.zeros(2, dtype=torch.float64), 1.0), 1)
W = torch.tensor([[1.0, 2.0], [2.0, -1.0], [0.5, 0.0], [0.0, 0.5]], dtype=torch.float64)  # orthogonal columns
SIGMA = 0.5


def evidence(x):
    covariance = W @ W.T + SIGMA**2 * torch.eye(4, dtype=torch.float64)
    return torch.from_numpy(multivariate_normal(torch.zeros(4).numpy(), covariance.numpy()).logpdf(x.numpy()))


def posterior(x):
    precision = 1 + W.square().sum(0) / SIGMA**2  # diagonal, the columns being orthogonal
    return Independent(Normal(x @ W / SIGMA**2 / precision, precision.rsqrt().expand(len(x), 2)), 1)


def densities(q, x, k):
    z = q.rsample((k,))
    return Gaussian(SIGMA).log_prob(x, z @ W.T, None), PRIOR.log_prob(z), q.log_prob(z)


def given(log_px_z, log_pz, log_qz_x, kl):
    z, q = torch.zeros(len(log_px_z), *kl.shape), Independent(Normal(torch.zeros_like(kl), 1.0), 1)
    return Draws(log_px_z, log_pz, log_qz_x, kl, z, q, n_train=10)


def draws(q, x, k):
    kl = normal_kl(q.base_dist.loc, q.base_dist.scale)
    return Draws(*densities(q, x, k), kl, q.rsample((k,)), q, n_train=len(x))


def data(n=6):
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return z @ W.T + SIGMA * torch.randn(n, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 5])
def test_evidence_is_exact_under_the_true_posterior_for_every_draw(k):
    x = data()
    log_w = log_weights(*densities(posterior(x), x, k))
    torch.testing.assert_close(log_w, evidence(x).expand(k, -1))
    torch.testing.assert_close(iwae_bound(log_w), evidence(x))


def test_elbo_reaches_the_evidence_under_the_true_posterior():
    torch.manual_seed(0)
    x = data()
    q = posterior(x)
    elbo = ELBO(samples=20000, beta=1.0, free_bits=0.0)(draws(q, x, 20000)).elbo
    assert elbo.item() == pytest.approx(evidence(x).mean().item(), abs=0.02)


def test_bounds_lie_below_the_evidence_under_another_posterior_and_many_samples_close_the_gap():
    torch.manual_seed(0)
    x = data()
    q = Independent(Normal(posterior(x).mean + 0.3, 0.6), 1)
    gaps = []
    for k in (1, 8, 64):
        bounds = [IWAE(k)(draws(q, x, k)).bound for _ in range(200)]
        gaps.append((evidence(x).mean() - torch.stack(bounds).mean()).item())
    elbo = ELBO(1, 1.0, 0.0)(draws(q, x, 20000)).elbo
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > -0.02
    assert gaps[0] == pytest.approx((evidence(x).mean() - elbo).item(), rel=0.1)


def test_one_sample_is_the_one_sample_elbo():
    log_px_z, log_pz, log_qz_x = torch.randn(3, 1, 7)
    bound = IWAE(1)(given(log_px_z, log_pz, log_qz_x, torch.rand(7, 2))).bound
    torch.testing.assert_close(bound, (log_px_z + log_pz - log_qz_x).mean())


def test_bound_does_not_fall_with_k_exactly_over_all_subsets():
    log_w = 4 * torch.randn(6, 50, dtype=torch.float64)
    means = [
        torch.stack([iwae_bound(log_w[list(subset)]) for subset in itertools.combinations(range(6), k)]).mean(0)
        for k in range(1, 7)
    ]
    for fewer, more in itertools.pairwise(means):
        assert (more > fewer).all()


def test_gradient_weighs_each_draw_by_its_normalised_weight():
    log_px_z = torch.randn(5, 3, requires_grad=True)
    log_pz, log_qz_x = torch.randn(2, 5, 3)
    IWAE(5)(given(log_px_z, log_pz, log_qz_x, torch.rand(3, 2))).total.backward()
    weights = (log_px_z.detach() + log_pz - log_qz_x).exp()
    torch.testing.assert_close(log_px_z.grad, -(weights / weights.sum(0)) / 3)  # Burda et al. 2016, eq. 14


def test_it_reports_the_elbo_beside_its_own_bound():
    log_px_z, kl = torch.tensor([[-1.0], [-3.0]]), torch.tensor([[0.5, 0.25]])
    terms = IWAE(2)(given(log_px_z, torch.zeros(2, 1), torch.zeros(2, 1), kl))
    assert terms.elbo.item() == pytest.approx(-2.75)
    assert terms.bound.item() == pytest.approx(-terms.total.item()) != terms.elbo.item()


def test_large_weights_do_not_overflow():
    log_w = torch.tensor([[-5000.0, 5000.0], [-5001.0, 4999.0]])
    assert torch.isfinite(iwae_bound(log_w)).all()


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="samples: got 0"):
        IWAE(0)
