"""ELBO, its weight and its floor, by hand; and what it reports is the ELBO whatever it descends."""

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.objectives import ELBO, Draws

LOG_PX_Z = torch.tensor([[-10.0, -20.0], [-12.0, -30.0]])
KL = torch.tensor([[0.1, 2.0, 0.0], [0.3, 4.0, 0.2]])
UNREAD = torch.full((2, 2), torch.nan)


def draws(kl, log_pz=UNREAD, log_qz_x=UNREAD):
    posterior = Independent(Normal(torch.zeros(2, 3), 1.0), 1)
    return Draws(LOG_PX_Z, log_pz, log_qz_x, kl, torch.zeros(2, 2, 3), posterior, n_train=2)


def terms(**values):
    return ELBO(**({"samples": 2, "beta": 1.0, "free_bits": 0.0} | values))(draws(KL))


def test_parts_by_hand():
    named = {name: value.item() for name, value in terms().named().items()}
    assert named == pytest.approx(
        {"total": 18 + 3.3, "reconstruction": -18, "kl": 3.3, "elbo": -18 - 3.3, "bound": -18 - 3.3}
    )


@pytest.mark.parametrize("beta", [0.0, 4.0])
def test_beta_weighs_what_is_descended_only(beta):
    weighted = terms(beta=beta)
    assert weighted.total.item() == pytest.approx(18 + beta * 3.3)
    assert weighted.elbo.item() == weighted.bound.item() == pytest.approx(-21.3)


def test_free_bits_floor_each_coordinates_mean():
    floored = terms(free_bits=0.25)  # means 0.2, 3.0, 0.1
    assert floored.total.item() == pytest.approx(18 + 0.25 + 3 + 0.25)
    assert floored.elbo.item() == pytest.approx(-21.3)
    assert floored.kl.item() == pytest.approx(3.3)


def test_free_coordinates_have_no_gradient():
    kl = KL.clone().requires_grad_()
    ELBO(samples=2, beta=1.0, free_bits=0.25)(draws(kl)).total.backward()
    torch.testing.assert_close(kl.grad, torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 0.0]]))


@pytest.mark.parametrize("values", [{"samples": 0}, {"beta": -1.0}, {"free_bits": -0.1}])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match=f"^{next(iter(values))}: got"):
        terms(**values)


def test_an_estimated_kl_may_be_negative_and_has_a_gradient_there():
    log_pz, log_qz_x = torch.tensor([[1.0, 2.0], [3.0, 0.5]]), torch.tensor([[0.5, 1.0], [2.0, 1.0]]).requires_grad_()
    terms = ELBO(samples=2, beta=3.0, free_bits=0.0)(draws(None, log_pz, log_qz_x))
    assert terms.kl.item() == pytest.approx(-0.5) and terms.total.item() == pytest.approx(18 - 3 * 0.5)
    assert terms.elbo.item() == pytest.approx(-18 + 0.5)
    (gradient,) = torch.autograd.grad(terms.total, log_qz_x)
    torch.testing.assert_close(gradient, torch.full((2, 2), 3.0 / 4))


def test_an_estimated_kl_has_the_free_nats_of_all_coordinates():
    log_qz_x = torch.tensor([[0.4, 0.6], [0.5, 0.5]])
    terms = ELBO(samples=2, beta=1.0, free_bits=0.25)(draws(None, torch.zeros(2, 2), log_qz_x))
    assert terms.total.item() == pytest.approx(18 + 3 * 0.25) and terms.kl.item() == pytest.approx(0.5)
