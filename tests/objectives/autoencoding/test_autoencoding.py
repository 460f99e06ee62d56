"""Objectives that bound no evidence, against the same by hand, and the model that they make."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from ganvas.latents import InverseMultiquadratic, normal_kl
from ganvas.latents.kernels import mmd
from ganvas.objectives import RAEL2, WAEMMD, Draws, RAEGradientPenalty, SlicedWAE

KERNEL = InverseMultiquadratic([1.0])


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4)).double()


@pytest.fixture
def draws(decoder):
    n, d = 5, 3
    loc, scale = torch.randn(n, d).double().requires_grad_(), torch.rand(n, d).double().add(0.2)
    q, prior = Independent(Normal(loc, scale), 1), Normal(torch.zeros(d).double(), 1.0)
    z = loc.expand(1, n, d)
    location = decoder(z)
    log_px_z = -(torch.randn(n, 4).double() - location).square().sum(-1) / 2
    densities = (log_px_z, prior.log_prob(z).sum(-1), q.log_prob(z), normal_kl(loc, scale))
    return Draws(*densities, z, q, 40, location, decoder, torch.randn(n, d).double())


def test_wae_mmd_by_hand(draws):
    terms = WAEMMD(1, weight=10.0, kernel=KERNEL, random_encoder=False)(draws)
    discrepancy = mmd(draws.z[0], draws.prior_z, KERNEL)
    assert terms.total.item() == pytest.approx(10 * discrepancy.item() - draws.log_px_z.mean().item())
    assert {name: value.item() for name, value in terms.named().items()} == pytest.approx(
        {"total": terms.total.item(), "reconstruction": draws.log_px_z.mean().item(), "mmd": discrepancy.item()}
    )


def test_which_encoders_are_deterministic():
    assert WAEMMD(1, 1.0, KERNEL, random_encoder=False).deterministic
    assert not WAEMMD(1, 1.0, KERNEL, random_encoder=True).deterministic
    assert all(
        part.deterministic for part in (SlicedWAE(1, 1.0, 5), RAEL2(1, 1.0, 1.0), RAEGradientPenalty(1, 1.0, 1.0))
    )


def test_sliced_wae_by_hand(draws):
    torch.manual_seed(7)
    terms = SlicedWAE(1, weight=3.0, directions=6)(draws).named()
    torch.manual_seed(7)
    lines = torch.randn(6, 3, dtype=torch.float64)
    lines = lines / lines.norm(dim=1, keepdim=True)
    ours, prior = ((points @ lines.T).sort(0).values for points in (draws.z[0].detach(), draws.prior_z))
    distance = (ours - prior).square().mean()
    torch.testing.assert_close(terms["sliced_wasserstein"], distance)
    torch.testing.assert_close(terms["total"], 3 * distance - draws.log_px_z.mean().detach())


def test_weight_decay_reaches_the_decoder_alone(draws, decoder):
    terms = RAEL2(1, latent_weight=0.5, decoder_weight=2.0)(draws)
    squares = sum((p**2).sum() for p in decoder.parameters())
    latents = draws.z[0].square().sum(1).mean()
    expected = -draws.log_px_z.mean() + 0.25 * latents + 2 * squares
    torch.testing.assert_close(terms.total, expected)
    assert terms.named().keys() == {"total", "reconstruction", "squared_latent", "squared_weights"}
    wanted = [draws.posterior.base_dist.loc, *decoder.parameters()]
    found = torch.autograd.grad(terms.total, wanted, retain_graph=True)
    torch.testing.assert_close(found, torch.autograd.grad(expected, wanted))


def test_the_jacobian_penalty_is_that_of_autograd_on_average(draws, decoder):
    torch.manual_seed(1)
    objective = RAEGradientPenalty(1, latent_weight=0.0, decoder_weight=1.0)
    found = torch.stack([objective(draws).penalties["squared_jacobian"].detach() for _ in range(4000)])
    jacobians = torch.func.vmap(torch.func.jacrev(decoder))(draws.z[0].detach())
    exact = jacobians.square().sum((1, 2)).mean()
    assert found.mean().item() == pytest.approx(exact.item(), abs=4 * found.std().item() / 4000**0.5)


def test_the_jacobian_penalty_has_a_gradient_to_the_decoder(draws, decoder):
    torch.manual_seed(1)
    penalty = RAEGradientPenalty(1, 0.0, 1.0)(draws).penalties["squared_jacobian"]
    (gradient,) = torch.autograd.grad(penalty, decoder[0].weight, retain_graph=True)
    # The same projection, written with the explicit Jacobian of the two layers.
    torch.manual_seed(1)
    v = torch.randn(1, 5, 4, dtype=torch.float64)[0]
    first, last = decoder[0], decoder[2]
    slope = 1 - torch.tanh(first(draws.z[0].detach())) ** 2
    explicit = (((v @ last.weight) * slope) @ first.weight).square().sum(1).mean()
    torch.testing.assert_close(penalty, explicit)
    # The weight also moves the latents' slope, which both see with the latents held.
    (expected,) = torch.autograd.grad(explicit, first.weight)
    torch.testing.assert_close(gradient, expected)


def test_a_random_encoder_may_have_several_latents():
    assert WAEMMD(3, 1.0, KERNEL, random_encoder=True).samples == 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WAEMMD(1, 0.0, KERNEL, True), "weight: got 0"),
        (lambda: WAEMMD(0, 1.0, KERNEL, True), "samples: got 0"),
        (lambda: WAEMMD(2, 1.0, KERNEL, False), "samples: got 2, expected 1, because the encoder is deterministic"),
        (lambda: SlicedWAE(2, 1.0, 5), "samples: got 2, expected 1"),
        (lambda: SlicedWAE(1, 1.0, 0), "directions: got 0"),
        (lambda: SlicedWAE(1, -1.0, 5), "weight: got -1"),
        (lambda: RAEL2(2, 1.0, 1.0), "samples: got 2, expected 1"),
        (lambda: RAEL2(1, -1.0, 1.0), "latent_weight: got -1"),
        (lambda: RAEGradientPenalty(1, 1.0, -1.0), "decoder_weight: got -1"),
    ],
)
def test_bad_numbers_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("objective", "lacks"),
    [
        (SlicedWAE(1, 1.0, 5), "prior_z"),
        (RAEL2(1, 1.0, 1.0), "decoder"),
        (RAEGradientPenalty(1, 1.0, 1.0), "location"),
    ],
)
def test_what_an_objective_lacks_is_named(objective, lacks, draws):
    with pytest.raises(ValueError, match=f"^{lacks}: got None"):
        objective(dataclasses.replace(draws, **{lacks: None}))
