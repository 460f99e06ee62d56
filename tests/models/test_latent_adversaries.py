"""FactorVAE, WAE-GAN and AAE: steps written by hand, whose optimiser moves what, and what the models can do."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import softplus

from ganvas.health.evidence import DiscriminatorLoss, Posterior
from ganvas.latents import Comparison
from ganvas.models import Ramp
from ganvas.networks import LabelledCritic
from ganvas.objectives import (
    DPSGD,
    ELBO,
    R1,
    Hinge,
    Relativistic,
    SpectralNorm,
    Unconstrained,
    Wasserstein,
    WeightClipping,
)
from ganvas.types import Batch, BoundsEvidence, Encodes, Reconstructs

KINDS = ["factor_vae", "wae_gan", "aae"]
LR = 0.01
SGD = partial(torch.optim.SGD, lr=LR)
LATENT = 4


@pytest.fixture
def batch():
    x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(x, None, torch.arange(16))


def others(z):
    """Stands for draws: a function of nothing."""
    return torch.linspace(-1, 1, z.numel(), device=z.device).reshape(z.shape).cos()


class Others(Comparison):
    def __call__(self, z, prior):
        return others(z)


class Ones(Comparison):
    def __call__(self, z, prior):
        return torch.ones_like(z)


def seeded(model, seed=7):
    """Fix the draws of the first step."""
    step = model.step
    model.step = lambda batch: (torch.manual_seed(seed), step(batch))[1]
    return model


def log_likelihood(model, x, z):
    return TorchBernoulli(logits=model.decoder(z), validate_args=False).log_prob((x + 1) / 2).sum((1, 2, 3)).mean()


def weights(*networks):
    return [parameter for network in networks for parameter in network.parameters()]


def descend(loss, parameters, lr=LR):
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= lr * gradient


def assert_same(one, other):
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=name)


def moved(model, before):
    now = model.state_dict()
    return {key.split(".")[0] for key, value in before.items() if not torch.equal(value, now[key])}


# The steps by hand


def test_a_step_of_factor_vae_is_that_of_its_formulas(with_adversary, fit, batch):
    """Bound plus gamma times the mean log ratio for the autoencoder, then cross-entropy for the critic."""
    model = seeded(with_adversary("factor_vae", {"comparison": Others()}, optimizer=SGD))
    hand = copy.deepcopy(model)
    fit(model, 1, batches_of=lambda: batch)
    torch.manual_seed(7)
    posterior = hand.encoder(batch.x)
    z = posterior.rsample((1,))[0]
    kl = kl_divergence(posterior, Independent(Normal(torch.zeros(16, LATENT), 1.0), 1)).mean()
    correlation = -hand.critic(z).mean()
    total = kl - log_likelihood(hand, batch.x, z) + 3.0 * correlation
    held, wanted = z.detach(), others(z)
    surprise = softplus(-hand.critic(wanted)).mean() + softplus(hand.critic(held)).mean()
    terms = {"total": total, "kl": kl, "adversary/total": correlation, "critic/total": surprise}
    for name, term in terms.items():
        torch.testing.assert_close(model.terms[name], term.detach(), rtol=1e-5, atol=1e-5, msg=name)
    at_the_same_weights = torch.autograd.grad(surprise, weights(hand.critic))
    descend(total, weights(hand.encoder, hand.decoder))
    with torch.no_grad():
        for parameter, gradient in zip(hand.critic.parameters(), at_the_same_weights, strict=True):
            parameter -= LR * gradient
    assert_same(model, hand)


def test_a_step_of_wae_gan_is_that_of_its_formulas(with_adversary, fit, batch):
    """Reconstruction plus lambda times the loss against the critic, at the means of a deterministic encoder."""
    model = with_adversary("wae_gan", {"comparison": Others()}, optimizer=SGD, critic_optimizer={"lr": 0.1})
    hand = copy.deepcopy(model)
    fit(model, 1, batches_of=lambda: batch)
    z = hand.encoder(batch.x).mean
    surprise = softplus(-hand.critic(others(z))).mean() + softplus(hand.critic(z.detach())).mean()
    slopes = torch.autograd.grad(surprise, weights(hand.critic))
    total = 3.0 * softplus(-hand.critic(z)).mean() - log_likelihood(hand, batch.x, z)
    descend(total, weights(hand.encoder, hand.decoder))
    with torch.no_grad():
        for parameter, gradient in zip(hand.critic.parameters(), slopes, strict=True):
            parameter -= 0.1 * gradient
    assert_same(model, hand)


def test_the_phases_of_an_aae_are_those_of_the_paper(with_adversary, fit, batch):
    """Reconstruction by encoder and decoder, then the critic, then the encoder alone, on new latents."""
    rates = {"critic_optimizer": {"lr": 0.1}, "encoder_optimizer": {"lr": 0.2}}
    model = seeded(with_adversary("aae", {"comparison": Others()}, optimizer=SGD, **rates))
    hand = copy.deepcopy(model)
    fit(model, 1, batches_of=lambda: batch)
    torch.manual_seed(7)
    z = hand.encoder(batch.x).rsample((1,))[0]
    loss = -log_likelihood(hand, batch.x, z)
    gradient = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, weights(hand.encoder, hand.decoder), retain_graph=True)]
    )
    descend(loss, weights(hand.encoder, hand.decoder))
    held = z.detach()
    descend(softplus(-hand.critic(others(z))).mean() + softplus(hand.critic(held)).mean(), weights(hand.critic), 0.1)
    against = softplus(-hand.critic(hand.encoder(batch.x).rsample((1,))[0])).mean()
    descend(against, weights(hand.encoder), 0.2)
    assert_same(model, hand)
    torch.testing.assert_close(model.terms["total"], loss.detach())
    torch.testing.assert_close(model.terms["adversary/total"], against.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.gradient_norms()["vae/gradient_norm"], gradient.norm())


# Players


@pytest.mark.parametrize(
    ("kind", "player", "moves"),
    [
        ("factor_vae", "vae", {"encoder", "decoder"}),
        ("factor_vae", "critic", {"critic"}),
        ("wae_gan", "vae", {"encoder", "decoder"}),
        ("wae_gan", "critic", {"critic"}),
        ("aae", "vae", {"encoder", "decoder"}),
        ("aae", "critic", {"critic"}),
        ("aae", "encoder", {"encoder"}),
    ],
)
def test_each_optimiser_moves_its_own_networks(with_adversary, fit, kind, player, moves):
    rates = {name: {"lr": LR * (name == player)} for name in ("critic", "encoder")}
    named = {f"{name}_optimizer": rate for name, rate in rates.items()}
    model = with_adversary(kind, optimizer=partial(torch.optim.SGD, lr=LR * (player == "vae")), **named)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, 2)
    assert moved(model, before) == moves
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.gradient_norms().keys() == {f"{name}/gradient_norm" for name in model.players}


@pytest.mark.parametrize("kind", KINDS)
def test_each_optimiser_holds_its_own_networks(with_adversary, kind):
    model = with_adversary(kind)
    own = {"vae": (model.encoder, model.decoder), "critic": (model.critic,), "encoder": (model.encoder,)}
    for player, optimizer in zip(model.players, model.configure_optimizers(), strict=True):
        held = [weight for group in optimizer.param_groups for weight in group["params"]]
        assert {id(weight) for weight in held} == {id(weight) for weight in weights(*own[player])}


@pytest.mark.parametrize("kind", [*KINDS, "vae_gan"])
def test_the_critic_gets_gradients_in_its_own_turn_alone(with_adversary, fit, kind):
    model, turns = with_adversary(kind), []
    model.critic.output.bias.register_post_accumulate_grad_hook(turns.append)
    fit(model, 3)
    assert len(turns) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_in_parts_gives_the_step_of_the_whole(with_adversary, fit, kind):
    made = []
    for parts in (1, 4):
        wanted = {"comparison": Ones(), "constraint": R1(1.0, every=1)}
        model = with_adversary(kind, wanted, optimizer=SGD, accumulate=parts)
        model.encoder.output.bias.data[LATENT:] = -20.0  # no noise
        fit(model, 2)
        made.append(model)
    for (name, a), b in zip(made[0].named_parameters(), made[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)
    assert made[0].terms.keys() == made[1].terms.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "game",
    [
        {"objective": Hinge(), "constraint": R1(1.0, every=2)},
        {"objective": Relativistic(), "constraint": R1(1.0, every=1)},
        {"objective": Wasserstein(), "constraint": WeightClipping(0.01)},
    ],
)
def test_every_game_is_played(with_adversary, fit, kind, game):
    model = with_adversary(kind, game)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, 3)
    assert moved(model, before) == {"encoder", "decoder", "critic"}
    assert all(term.isfinite() for term in model.terms.values())
    assert ("critic/penalty" in model.terms) is isinstance(game["constraint"], R1)
    if isinstance(game["objective"], Wasserstein):
        assert max(parameter.abs().max() for parameter in model.critic.parameters()) <= 0.01


def test_several_latents_of_an_image_are_all_compared(with_adversary, fit):
    model = with_adversary("factor_vae", objective=ELBO(samples=3, beta=1.0, free_bits=0.0))
    seen = []
    model.critic.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    fit(model, 1)
    assert set(seen) == {48}


def test_a_critic_of_classes_is_told_the_class_of_each_latent(with_adversary, networks, fit, batch):
    """The classes of the batch stand beside all its latents: all first ones, then all second ones."""
    critic = LabelledCritic(networks(shape=(LATENT + 3,))["critic"], 3)
    bound = ELBO(samples=2, beta=1.0, free_bits=0.0)
    model, seen = with_adversary("factor_vae", {"critic": critic}, objective=bound), []
    critic.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    labelled = Batch(batch.x, torch.arange(16) % 3, batch.index)
    fit(model, 1, batches_of=lambda: labelled)
    assert len(seen) == 3 and all(torch.equal(y, labelled.y.repeat(2)) for y in seen)


def test_a_constraint_prepares_the_critic(with_adversary, fit):
    model = with_adversary("aae", {"constraint": SpectralNorm(1)})
    assert {"critic.output.parametrizations.weight.original"} <= model.state_dict().keys()
    fit(model, 2)
    assert float(torch.linalg.matrix_norm(model.critic.output.weight.detach(), 2)) == pytest.approx(1.0, abs=0.1)


# What the models can do


def test_what_each_can_do(with_adversary, batch):
    for kind in KINDS:
        model = with_adversary(kind)
        assert isinstance(model, Reconstructs) and isinstance(model, Encodes)
        assert isinstance(model, BoundsEvidence) is (kind == "factor_vae")
        assert model.reconstruct(batch).shape == batch.x.shape
        assert model.networks.keys() == {"encoder", "decoder", "critic"}
        assert model.headline[-2:] == ("critic/total", "adversary/total")


def test_the_bound_of_factor_vae_is_that_of_its_vae(with_adversary, variational, batch):
    model, plain = with_adversary("factor_vae"), variational()
    found = []
    for one in (model, plain):
        torch.manual_seed(2)
        found.append(one.log_weights(batch, 3))
    assert torch.equal(*found)


def test_a_plain_vae_has_the_keys_and_the_players_that_it_had(variational):
    model = variational()
    assert {key.split(".")[0] for key in model.state_dict()} == {"encoder", "decoder"}
    assert model.players == ("vae",) and model.headline == ("elbo", "reconstruction", "kl")


def test_health_shows_the_critic_too(with_adversary, batch):
    history = {
        f"critic/{name}": torch.full((60,), value)
        for name, value in [("total", 1.3), ("real_score", 0.1), ("fake_score", 0.2)]
    }
    shown = with_adversary("aae").evidence(batch, None, history)
    (loss,) = [one for one in shown if isinstance(one, DiscriminatorLoss)]
    assert len(loss.loss) == 50 and any(isinstance(one, Posterior) for one in shown)
    clipped = {"objective": Wasserstein(), "constraint": WeightClipping(0.01)}
    shown = with_adversary("aae", clipped).evidence(batch, None, history)
    assert not any(isinstance(one, DiscriminatorLoss) for one in shown)


def test_weights_are_moved_by_schedules(with_adversary, fit):
    up = Ramp(start=0.0, end=8.0, images=64)
    moved_ = {"adversary": {"weight": up, "constraint": {"weight": up}}, "critic_optimizer": {"lr": up}}
    model = with_adversary("wae_gan", {"constraint": R1(1.0, every=1)}, schedules=moved_)
    rates = fit(model, 3).optimizers
    assert model.adversary.weight == model.adversary.constraint.weight == pytest.approx(4.0)
    assert [o.param_groups[0]["lr"] for o in rates] == pytest.approx([1e-3, 4.0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": 0.0}, "weight: got 0.0, expected a positive number"),
        ({"objective": ELBO(1, 1.0, 0.0)}, "adversary: ELBO is no loss of a critic; write objective=non_saturating"),
        ({"objective": Wasserstein()}, "Wasserstein needs a Lipschitz constraint on the critic, got Unconstrained"),
        ({"constraint": DPSGD(1.0, 1.0, 1e-5)}, "dp_sgd makes the critic private, and the encoder reads the examples"),
    ],
)
def test_bad_games_are_refused(with_adversary, change, said):
    with pytest.raises(ValueError, match=said):
        with_adversary("wae_gan", change)


def test_a_critic_of_other_latents_is_refused(with_adversary, networks):
    with pytest.raises(ValueError, match=r"takes latents of shape \(5,\), there are 4; write model.adversary.critic"):
        with_adversary("aae", {"critic": networks(shape=(5,))["critic"], "constraint": Unconstrained()})
