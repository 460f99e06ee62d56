"""Bounds with a penalty on the KL or the aggregate posterior, against the same by hand; their ELBO is the ELBO."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from ganvas.latents import GaussianKernel, StratifiedSampling, WeightedSampling, normal_kl
from ganvas.latents.kernels import mmd
from ganvas.objectives import DIPI, DIPII, ELBO, BetaTC, Capacity, Draws, InfoVAE, JointCapacity

PLAIN = ELBO(samples=2, beta=1.0, free_bits=0.0)
KERNEL = GaussianKernel(1.0)


@pytest.fixture
def draws():
    torch.manual_seed(0)
    k, n, d = 2, 5, 3
    loc, scale = torch.randn(n, d).double().requires_grad_(), torch.rand(n, d).double().add(0.2).requires_grad_()
    q, prior = Independent(Normal(loc, scale), 1), Normal(torch.zeros(d).double(), 1.0)
    z = q.rsample((k,))
    densities = (torch.randn(k, n).double(), prior.log_prob(z).sum(-1), q.log_prob(z), normal_kl(loc, scale))
    return Draws(*densities, z, q, n_train=40, prior_z=torch.randn(k * n, d).double())


def parameters(draws):
    return draws.posterior.base_dist.loc, draws.posterior.base_dist.scale


def gradients(total, draws):
    return torch.autograd.grad(total, parameters(draws), retain_graph=True)


# Total correlation


@pytest.mark.parametrize("weights", [WeightedSampling(), StratifiedSampling()])
def test_with_weights_of_1_the_parts_add_up_to_the_estimated_kl(weights, draws):
    terms = BetaTC(2, alpha=1.0, beta=1.0, gamma=1.0, weights=weights)(draws)
    assert terms.total.item() == pytest.approx(-draws.log_w.mean().item())
    parts = terms.named()
    summed = parts["mutual_information"] + parts["total_correlation"] + parts["dimension_wise_kl"]
    torch.testing.assert_close(summed, (draws.log_qz_x - draws.log_pz).mean().detach())
    expected = gradients(-draws.log_w.mean(), draws)
    torch.testing.assert_close(gradients(terms.total, draws), expected)


def test_each_part_has_its_weight(draws):
    parts = BetaTC(2, 1.0, 1.0, 1.0, WeightedSampling())(draws).named()
    for place, name in enumerate(("mutual_information", "total_correlation", "dimension_wise_kl")):
        weights = [0.0, 0.0, 0.0]
        weights[place] = 3.0
        total = BetaTC(2, *weights, WeightedSampling())(draws).total
        torch.testing.assert_close(total.detach(), 3 * parts[name] - draws.log_px_z.mean())


def test_the_parts_are_those_of_the_densities(draws):
    """Mutual information from E log q(z|x) / q(z), and so on, with the aggregate density by a mixture of torch."""
    parts = BetaTC(2, 1.0, 1.0, 1.0, WeightedSampling())(draws).named()
    normal = draws.posterior.base_dist
    every = torch.stack([normal.log_prob(draws.z[:, [i]]) for i in range(5)], dim=1).exp()  # k, draw, image, d
    log_q = (every.prod(-1).mean(2) / 40).log()
    log_marginals = (every.mean(2) / 40).log().sum(-1)
    torch.testing.assert_close(parts["mutual_information"], (draws.log_qz_x - log_q).mean().detach())
    torch.testing.assert_close(parts["total_correlation"], (log_q - log_marginals).mean().detach())
    torch.testing.assert_close(parts["dimension_wise_kl"], (log_marginals - draws.log_pz).mean().detach())


# Covariances


def test_covariances_are_numpys(draws):
    loc, scale = (p.detach().numpy() for p in parameters(draws))
    means = np.cov(loc.T, bias=True)
    for objective, covariance in ((DIPI, means), (DIPII, means + np.diag((scale**2).mean(0)))):
        terms = objective(2, off_diagonal=3.0, diagonal=5.0)(draws)
        off = (covariance**2).sum() - (np.diag(covariance) ** 2).sum()
        on = ((np.diag(covariance) - 1) ** 2).sum()
        assert terms.named()["off_diagonal"].item() == pytest.approx(off)
        assert terms.named()["diagonal"].item() == pytest.approx(on)
        assert terms.total.item() == pytest.approx(-terms.elbo.item() + 3 * off + 5 * on)


def test_the_first_reads_means_alone_and_the_second_variances_too(draws):
    for objective, reads in ((DIPI, False), (DIPII, True)):
        penalised, plain = objective(2, 3.0, 5.0)(draws).total, PLAIN(draws).total
        of_loc, of_scale = gradients(penalised - plain, draws)
        assert of_loc.abs().sum() > 0 and bool((of_scale.abs() > 1e-12).any()) is reads


# Capacity


@pytest.mark.parametrize(("capacity", "sign"), [(0.0, 1), (100.0, -1)])
def test_the_kl_is_drawn_to_the_capacity_from_either_side(capacity, sign, draws):
    terms = Capacity(2, weight=7.0, capacity=capacity)(draws)
    kl = draws.kl.sum(1).mean()
    assert terms.total.item() == pytest.approx(7 * abs(kl.item() - capacity) - draws.log_px_z.mean().item())
    assert terms.named()["capacity_distance"].item() == pytest.approx(abs(kl.item() - capacity))
    torch.testing.assert_close(gradients(terms.total, draws), gradients(sign * 7 * kl, draws))


@pytest.mark.parametrize("sides", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_normal_latents_and_codes_are_drawn_to_capacities_of_their_own(sides, draws):
    kl = draws.kl.mean(0)
    parts, reachable = (kl[:-1].sum(), kl[-1]), math.log(50)
    assert 0.1 < float(kl[-1]) < reachable
    low, high = (0.0, 0.0), (100.0, 3.0)
    capacities = [a if side > 0 else b for side, a, b in zip(sides, low, high, strict=True)]
    terms = JointCapacity(2, [50], 7.0, *capacities)(draws)
    distance = sum(side * (part - c) for side, part, c in zip(sides, parts, capacities, strict=True))
    assert terms.total.item() == pytest.approx((7 * distance - draws.log_px_z.mean()).item())
    signed = 7 * sum(side * part for side, part in zip(sides, parts, strict=True))
    torch.testing.assert_close(gradients(terms.total, draws), gradients(signed, draws))


def test_a_code_is_asked_for_the_log_of_its_categories_at_most(draws):
    asked = [JointCapacity(2, [2, 3], 1.0, 0.0, capacity)(draws).total.item() for capacity in (math.log(6), 50.0)]
    assert asked[0] == pytest.approx(asked[1])


# InfoVAE


def test_the_mmd_vae_has_no_kl_in_its_loss(draws):
    terms = InfoVAE(2, alpha=1.0, scaling=9.0, kernel=KERNEL)(draws)
    discrepancy = mmd(draws.z.flatten(0, 1), draws.prior_z, KERNEL)
    assert terms.total.item() == pytest.approx(9 * discrepancy.item() - draws.log_px_z.mean().item())
    assert terms.named()["mmd"].item() == pytest.approx(discrepancy.item())


def test_between_the_two_ends_both_have_a_weight(draws):
    plain, kl = PLAIN(draws).total, draws.kl.sum(1).mean()
    assert InfoVAE(2, 0.0, 1.0, KERNEL)(draws).total.item() == pytest.approx(plain.item())
    mixed = InfoVAE(2, alpha=0.25, scaling=4.0, kernel=KERNEL)(draws).total
    discrepancy = mmd(draws.z.flatten(0, 1), draws.prior_z, KERNEL)
    expected = -draws.log_px_z.mean() + 0.75 * kl + 3.25 * discrepancy
    torch.testing.assert_close(mixed, expected)


# All


ALL = {
    "beta_tc": BetaTC(2, 1.0, 6.0, 1.0, StratifiedSampling()),
    "dip_i": DIPI(2, 10.0, 100.0),
    "dip_ii": DIPII(2, 10.0, 10.0),
    "capacity": Capacity(2, 1000.0, 25.0),
    "joint": JointCapacity(2, [50], 30.0, 5.0, 5.0),
    "info": InfoVAE(2, 1.0, 1000.0, KERNEL),
}


@pytest.mark.parametrize("name", ALL)
def test_the_elbo_is_the_elbo_whatever_is_descended(name, draws):
    terms, plain = ALL[name](draws).named(), PLAIN(draws).named()
    for term in ("reconstruction", "kl", "elbo", "bound"):
        torch.testing.assert_close(terms[term], plain[term])
    assert not math.isclose(terms["total"].item(), plain["total"].item())
    assert set(terms) > set(plain)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BetaTC(1, 1.0, -1.0, 1.0, WeightedSampling()), "beta: got -1"),
        (lambda: DIPI(1, -1.0, 1.0), "off_diagonal: got -1"),
        (lambda: DIPII(1, 1.0, -1.0), "diagonal: got -1"),
        (lambda: Capacity(1, 0.0, 1.0), "weight: got 0"),
        (lambda: Capacity(1, 1.0, -1.0), "capacity: got -1"),
        (lambda: JointCapacity(1, [1], 1.0, 1.0, 1.0), "categorical: got"),
        (lambda: JointCapacity(1, [2], 0.0, 1.0, 1.0), "weight: got 0"),
        (lambda: JointCapacity(1, [2], 1.0, 1.0, -1.0), "capacity_codes: got -1"),
        (lambda: InfoVAE(1, 2.0, 1.0, KERNEL), "alpha: got 2"),
        (lambda: InfoVAE(1, 0.0, 0.5, KERNEL), "scaling: got 0.5, expected at least 1 - alpha = 1"),
        *((lambda part=part: part(0, 1.0, 1.0), "samples: got 0") for part in (DIPI, DIPII, Capacity)),
    ],
)
def test_bad_numbers_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_penalties_that_need_coordinates_refuse_other_posteriors(draws):
    full = MultivariateNormal(torch.zeros(5, 3).double(), torch.eye(3).double())
    other = Draws(draws.log_px_z, draws.log_pz, draws.log_qz_x, None, draws.z, full, 40)
    for name in ("beta_tc", "dip_ii"):
        with pytest.raises(ValueError, match="got MultivariateNormal, expected a diagonal normal, because"):
            ALL[name](other)
    assert torch.isfinite(ALL["dip_i"](other).total)


def test_draws_of_the_prior_that_are_missing_are_asked_for(draws):
    bare = Draws(draws.log_px_z, draws.log_pz, draws.log_qz_x, draws.kl, draws.z, draws.posterior, 40)
    with pytest.raises(ValueError, match="prior_z: got None, expected draws of the prior"):
        ALL["info"](bare)
