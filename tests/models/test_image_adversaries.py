"""VAE-GAN and VQGAN: steps written by hand, whose optimiser moves what, the adaptive weight, the start."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import relu, softplus

from ganvas.health.evidence import DiscriminatorLoss, UsedCodes
from ganvas.latents import VQEMA, Permuted
from ganvas.models import VQVAE, FeatureAdversary, ImageAdversary, JoinedLatentAdversary
from ganvas.models.schedules import Constant
from ganvas.networks import mlp, patch, vq
from ganvas.networks.init import glorot_uniform_
from ganvas.objectives import ELBO, R1, Gaussian, GradientPenalty, Hinge, NonSaturating, Unconstrained
from ganvas.objectives.constraints.input_gradients import input_gradients
from ganvas.types import Batch, BoundsEvidence, CodesExamples, Encodes, Reconstructs, ScoresPatches

SHAPE = (1, 8, 8)
INIT = partial(glorot_uniform_, gain=1.4)
LR = 0.01
SGD = partial(torch.optim.SGD, lr=LR)
LATENT = 4


@pytest.fixture
def batch():
    x = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(x, None, torch.arange(6))


def weights(*networks):
    return [parameter for network in networks for parameter in network.parameters()]


def descend(parameters, gradients, lr=LR):
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= lr * gradient


def assert_same(one, other):
    for (name, a), b in zip(one.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(a, b[1], rtol=1e-4, atol=1e-6, msg=name)


def moved(model, before):
    now = dict(model.named_parameters())
    return {key.split(".")[0] for key, value in before.items() if not torch.equal(value, now[key])}


# VAE-GAN


def test_a_step_of_vae_gan_is_algorithm_1(with_adversary, fit, batch):
    """Each network descends its own loss of the paper's algorithm; the losses are taken one by one here."""
    model = with_adversary("vae_gan", optimizer=SGD, critic_optimizer={"lr": 0.1})
    hand, step = copy.deepcopy(model), model.step
    model.step = lambda one: (torch.manual_seed(7), step(one))[1]
    fit(model, 1, batches_of=lambda: batch)
    torch.manual_seed(7)
    posterior = hand.encoder(batch.x)
    z = posterior.rsample((1,))[0]
    z_p = torch.randn(6, LATENT)
    image = lambda latents: 2 * torch.sigmoid(hand.decoder(latents)) - 1  # noqa: E731
    features = hand.critic.features
    similarity = (features(batch.x).detach() - features(image(z))).square().sum(1).mean() / 2
    kl = kl_divergence(posterior, Independent(Normal(torch.zeros(6, LATENT), 1.0), 1)).mean()
    made = [image(z), image(z_p)]
    fooling = sum(softplus(-hand.critic(fake)).mean() / 2 for fake in made)
    telling = softplus(-hand.critic(batch.x)).mean() + sum(
        softplus(hand.critic(fake.detach())).mean() / 2 for fake in made
    )
    players = {
        "encoder": (kl + similarity, LR),
        "decoder": (3.0 * similarity + fooling, LR),
        "critic": (telling, 0.1),
    }
    gradients = {
        name: torch.autograd.grad(loss, weights(hand.trained(name)), retain_graph=True)
        for name, (loss, _) in players.items()
    }
    for name, (_, lr) in players.items():
        descend(weights(hand.trained(name)), gradients[name], lr)
    assert_same(model, hand)
    expected = {"similarity": similarity, "latent_cost": kl, "adversary/total": fooling, "critic/total": telling}
    for name, term in expected.items():
        torch.testing.assert_close(model.terms[name], term.detach(), rtol=1e-5, atol=1e-5, msg=name)
    total = kl + 3.0 * similarity + fooling
    torch.testing.assert_close(model.terms["total"], total.detach(), rtol=1e-5, atol=1e-5)
    assert not {"elbo", "bound"} & model.terms.keys()


def test_each_of_several_latents_is_compared_with_its_own_image(with_adversary, fit, batch):
    model = with_adversary("vae_gan", objective=ELBO(samples=3, beta=1.0, free_bits=0.0), optimizer=SGD)
    hand, step = copy.deepcopy(model), model.step
    model.step = lambda one: (torch.manual_seed(7), step(one))[1]
    fit(model, 1, batches_of=lambda: batch)
    torch.manual_seed(7)
    with torch.no_grad():
        drawn = hand.encoder(batch.x).rsample((3,))
        images = [2 * torch.sigmoid(hand.decoder(z)) - 1 for z in drawn]
        distances = [hand.critic.features(made) - hand.critic.features(batch.x) for made in images]
    expected = torch.stack(distances).square().sum(-1).mean() / 2
    torch.testing.assert_close(model.terms["similarity"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("player", "moves"), [("vae", {"encoder", "decoder"}), ("critic", {"critic"})])
def test_each_optimiser_of_vae_gan_moves_its_own_networks(with_adversary, fit, player, moves):
    rates = [LR * (name == player) for name in ("vae", "critic")]
    model = with_adversary(
        "vae_gan", optimizer=partial(torch.optim.SGD, lr=rates[0]), critic_optimizer={"lr": rates[1]}
    )
    before = {key: value.clone() for key, value in model.named_parameters()}
    fit(model, 2)
    assert moved(model, before) == moves


def test_a_penalty_of_vae_gan_pairs_each_fake_with_its_image(with_adversary, fit):
    penalty = GradientPenalty(weight=1.0, every=1, target=1.0, one_sided=False)
    model = with_adversary("vae_gan", {"constraint": penalty}, accumulate=2)
    fit(model, 2)
    assert all(term.isfinite() for term in model.terms.values()) and "critic/penalty" in model.terms


def test_each_made_image_stands_beside_a_real_one(with_adversary, fit, batch, monkeypatch):
    seen = []
    monkeypatch.setattr(FeatureAdversary, "turns", lambda self, model, compared: seen.extend(compared) or {})
    fit(with_adversary("vae_gan"), 1, batches_of=lambda: batch)
    (pair,) = seen
    assert torch.equal(pair.wanted, torch.cat([batch.x, batch.x]))
    assert pair.made.shape == pair.wanted.shape and not pair.made.requires_grad


def test_what_a_vae_gan_can_do(with_adversary, batch):
    model = with_adversary("vae_gan")
    assert isinstance(model, Reconstructs) and isinstance(model, Encodes) and not isinstance(model, BoundsEvidence)
    assert model.reconstruct(batch).shape == batch.x.shape


class Silent(nn.Module):
    shape = SHAPE

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x.flatten(1).sum(1)


def test_critics_that_do_not_fit_a_vae_gan_are_refused(with_adversary, networks):
    with pytest.raises(ValueError, match="FeatureAdversary reads the critic's features, which Silent does not show"):
        with_adversary("vae_gan", {"critic": Silent()})
    with pytest.raises(ValueError, match=r"takes examples of shape \(1, 4, 4\), the decoder makes \(1, 8, 8\)"):
        with_adversary("vae_gan", {"critic": networks(shape=(1, 4, 4))["critic"]})
    with pytest.raises(ValueError, match="weight: got -1.0"):
        with_adversary("vae_gan", {"weight": -1.0})


# VQGAN


def vqgan(seed=0, adversary=None, third=None, **changes):
    torch.manual_seed(seed)
    sizes = {"blocks": 1, "hidden": 3, "init": INIT}
    critic = patch.Critic(SHAPE, [4], False, INIT)
    game = {"critic": critic, "objective": Hinge(), "constraint": Unconstrained(), "weight": 2.0, "start": 0}
    parts = {
        "encoder": vq.Encoder(SHAPE, 3, [4, 6], **sizes),
        "decoder": vq.Decoder(SHAPE, 3, [6, 4], likelihood=None, **sizes),
        "quantiser": VQEMA(5, 3, commitment=0.25, decay=0.9, restart=0.0),
        "frequency_decay": 0.9,
        "likelihood": Gaussian(sigma=1.0),
        "optimizer": partial(torch.optim.Adam, lr=1e-2),
        "ema_halflife": None,
        "gradient_clip": None,
        "schedule": Constant(),
        "schedules": {},
        "accumulate": 1,
        "adversary": third or ImageAdversary(**{**game, **(adversary or {})}),
    }
    return VQVAE(**{**parts, **changes})


def test_a_step_of_vqgan_is_equations_6_and_7(fit, batch):
    model = vqgan(optimizer=SGD, critic_optimizer={"lr": 0.1})
    hand = copy.deepcopy(model)
    fit(model, 1, batches_of=lambda: batch)
    z = hand.encoder(batch.x)
    quantised = hand.quantiser(z)
    images = hand.decoder(quantised.z)
    squares = (batch.x - images).square().sum((1, 2, 3)).mean() / 2
    fooling = -hand.critic(images).mean()
    own, theirs = (
        torch.autograd.grad(loss, hand.decoder.output.weight, retain_graph=True)[0] for loss in (squares, fooling)
    )
    weight = 2.0 * own.norm() / (theirs.norm() + 1e-6)
    total = squares + quantised.terms["commitment"].mean() + weight * fooling
    telling = relu(1 - hand.critic(batch.x)).mean() + relu(1 + hand.critic(images.detach())).mean()
    slopes = torch.autograd.grad(telling, weights(hand.critic), retain_graph=True)
    of_stage = weights(hand.encoder, hand.decoder)
    descend(of_stage, torch.autograd.grad(total, of_stage))
    descend(weights(hand.critic), slopes, 0.1)
    assert_same(model, hand)
    expected = {"adversary/weight": weight, "adversary/total": fooling, "critic/total": telling}
    for name, term in expected.items():
        torch.testing.assert_close(model.terms[name], term.detach(), rtol=1e-5, atol=1e-5, msg=name)


def test_before_its_start_the_critic_has_no_part_and_does_not_learn(fit):
    late, plain = vqgan(adversary={"start": 33}), vqgan(adversary={"start": 10**9})
    before = {key: value.clone() for key, value in late.named_parameters() if key.startswith("critic")}
    for model in (late, plain):
        fit(model, 3)  # batches of 16: the last one begins at 32
    assert not moved(late, before) and "critic/total" not in late.terms
    for (name, a), b in zip(late.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b), name
    on_time = vqgan(adversary={"start": 32})
    fit(on_time, 3)
    assert moved(on_time, before) == {"critic"} and {"critic/total", "adversary/weight"} <= on_time.terms.keys()


@pytest.mark.parametrize(("player", "moves"), [("vae", {"encoder", "decoder"}), ("critic", {"critic"})])
def test_each_optimiser_of_vqgan_moves_its_own_networks(fit, player, moves):
    rates = [LR * (name == player) for name in ("vae", "critic")]
    model = vqgan(optimizer=partial(torch.optim.SGD, lr=rates[0]), critic_optimizer={"lr": rates[1]})
    before = {key: value.clone() for key, value in model.named_parameters()}
    fit(model, 2)
    assert moved(model, before) == moves


def test_the_critic_of_vqgan_gets_gradients_in_its_own_turn_alone(fit):
    model, turns = vqgan(), []
    model.critic.output.bias.register_post_accumulate_grad_hook(turns.append)
    fit(model, 3)
    assert len(turns) == 3


def test_a_resumed_vqgan_equals_an_uninterrupted_one(fit, tmp_path):
    whole, first, resumed = (vqgan(adversary={"start": 32, "constraint": R1(1.0, every=2)}) for _ in range(3))
    fit(whole, 6)
    fit(first, 3).save_checkpoint(tmp_path / "x.ckpt")
    fit(resumed, 3, start=3, ckpt_path=tmp_path / "x.ckpt")
    a, b = whole.state_dict(), resumed.state_dict()
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_what_a_vqgan_can_do_and_shows(batch):
    model = vqgan()
    assert isinstance(model, Reconstructs) and isinstance(model, CodesExamples) and not isinstance(model, Encodes)
    assert model.sample(3, seed=0).shape == (3, *SHAPE)
    history = {f"critic/{name}": torch.ones(3) for name in ("total", "real_score", "fake_score")}
    kinds = {type(one) for one in model.evidence(batch, None, history)}
    assert {DiscriminatorLoss, UsedCodes} <= kinds


def test_adversaries_that_do_not_fit_codes_are_refused(with_adversary, networks):
    of_latents = with_adversary("factor_vae").adversary
    with pytest.raises(
        ValueError, match="JoinedLatentAdversary compares latents that are vectors, and these are codes"
    ):
        vqgan(third=of_latents)
    assert isinstance(of_latents, JoinedLatentAdversary) and of_latents.comparison == Permuted()
    with pytest.raises(ValueError, match="FeatureAdversary draws latents that are vectors"):
        vqgan(third=with_adversary("vae_gan").adversary)
    with pytest.raises(ValueError, match="at the decoder's last layer, and Headless has no layer `output`"):
        vqgan(decoder=Headless())
    for change, said in (({"weight": 0.0}, "weight: got 0.0"), ({"start": -1}, "start: got -1")):
        with pytest.raises(ValueError, match=said):
            vqgan(adversary=change)


class Headless(nn.Module):
    shape, latent_dim, grid = SHAPE, 3, (2, 2)


def test_a_vae_may_have_the_critic_of_a_vqgan(variational, fit):
    """The adversary of images needs a decoder with a last layer, and no codes."""
    critic = mlp.Critic(SHAPE, [8], "ReLU", INIT)
    third = ImageAdversary(critic, NonSaturating(), Unconstrained(), weight=1.0, start=0)
    model = variational(adversary=third)
    fit(model, 2)
    assert isinstance(model, BoundsEvidence) and model.terms["adversary/weight"] > 0


# The critic of patches


def test_a_critic_of_patches_scores_each_patch_by_its_own_pixels():
    critic = patch.Critic((1, 16, 16), [3, 4], False, INIT)
    assert isinstance(critic, ScoresPatches) and critic.patches == 9
    x = torch.randn(2, 1, 16, 16, requires_grad=True)
    scores = critic(x)
    assert scores.shape == (18,)
    (gradient,) = torch.autograd.grad(scores[9], x)  # the first patch of the second image
    assert not gradient[0].any() and gradient[1].any()
    rows, columns = gradient[1, 0].nonzero().T
    assert rows.max() < 22 - 7 and columns.max() < 22 - 7  # 22 pixels, of which the paddings have 4 + 2 + 1


def test_the_gradient_of_patches_is_that_of_their_mean():
    critic = patch.Critic(SHAPE, [4], False, INIT)
    x = torch.randn(3, *SHAPE)
    found = input_gradients(critic, x)
    leaf = x.clone().requires_grad_()
    means = critic(leaf).reshape(3, -1).mean(1)
    (expected,) = torch.autograd.grad(means.sum(), leaf)
    torch.testing.assert_close(found, expected.flatten(1))
