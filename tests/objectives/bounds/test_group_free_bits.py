"""Free bits of groups, and the KL of groups, by hand."""

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.objectives import ELBO, Draws, GroupFreeBits

LOG_PX_Z = torch.tensor([[-10.0, -20.0], [-12.0, -30.0]])
KL = torch.tensor([[0.1, 2.0, 0.0], [0.3, 4.0, 0.2]])  # means 0.2, 3.0, 0.1


def draws(kl, groups):
    posterior = Independent(Normal(torch.zeros(2, 3), 1.0), 1)
    unread = torch.full((2, 2), torch.nan)
    return Draws(LOG_PX_Z, unread, unread, kl, torch.zeros(2, 2, 3), posterior, n_train=2, groups=groups)


@pytest.mark.parametrize(("groups", "parts"), [((2, 1), [3.2, 0.5]), ((1, 2), [0.5, 3.1]), (None, [3.3])])
def test_the_kl_of_a_group_has_a_floor(groups, parts):
    terms = GroupFreeBits(samples=2, beta=2.0, free_bits=0.5)(draws(KL, groups))
    assert terms.total.item() == pytest.approx(18 + 2 * sum(parts))
    assert terms.elbo.item() == terms.bound.item() == pytest.approx(-21.3)
    assert terms.kl.item() == pytest.approx(3.3)


def test_a_free_group_has_no_gradient():
    kl = KL.clone().requires_grad_()
    GroupFreeBits(samples=2, beta=1.0, free_bits=0.5)(draws(kl, (2, 1))).total.backward()
    torch.testing.assert_close(kl.grad, torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]))


@pytest.mark.parametrize("kind", [ELBO, GroupFreeBits])
def test_estimates_of_a_hierarchy_may_be_negative(kind):
    kl = torch.tensor([[-0.5, 1.0, 0.2], [-0.7, 3.0, 0.2]])
    terms = kind(samples=2, beta=1.0, free_bits=0.0)(draws(kl, (1, 2)))
    assert terms.total.item() == pytest.approx(18 - 0.6 + 2 + 0.2)


def test_the_kl_of_each_group_is_named():
    named = {name: value.item() for name, value in draws(KL, (2, 1)).kl_by_group().items()}
    assert named == pytest.approx({"kl_group_1": 3.2, "kl_group_2": 0.1}) and draws(KL, None).kl_by_group() == {}


@pytest.mark.parametrize("values", [{"samples": 0}, {"beta": -1.0}, {"free_bits": -0.1}])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match=f"^{next(iter(values))}: got"):
        GroupFreeBits(**({"samples": 1, "beta": 1.0, "free_bits": 0.5} | values))
