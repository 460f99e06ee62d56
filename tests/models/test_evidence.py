"""What models show of themselves: gradient norms, scores and posteriors, without leaving a trace."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn.functional import softplus

from ganvas.health.evidence import CriticScores, DiscriminatorLoss, GradientNorms, InputGradients, Logged, Posterior
from ganvas.models import WGAN
from ganvas.networks import Packed, init, mlp
from ganvas.objectives import R1, Dragan, WeightClipping
from ganvas.types import Batch


def norm(gradients):
    return float(sum(float(g.double().square().sum()) for g in gradients) ** 0.5)


def test_gradient_norms_are_those_of_the_losses(adversarial, fit, stream):
    model, plain = adversarial(seed=7), adversarial(seed=7)
    sgd = partial(torch.optim.SGD, lr=0.0)
    for m in (model, plain):
        m._make_optimizer = sgd
    torch.manual_seed(9)
    fit(model, 1)
    torch.manual_seed(9)
    real = next(iter(stream(1))).x
    fake = plain.generator(torch.randn(16, 4))
    critic_loss = softplus(-plain.critic(real)).mean() + softplus(plain.critic(fake.detach())).mean()
    generator_loss = softplus(-plain.critic(fake)).mean()
    found = model.gradient_norms()
    assert found.keys() == {"generator/gradient_norm", "critic/gradient_norm"}
    critic = norm(torch.autograd.grad(critic_loss, list(plain.critic.parameters())))
    generator = norm(torch.autograd.grad(generator_loss, list(plain.generator.parameters())))
    assert float(found["critic/gradient_norm"]) == pytest.approx(critic, rel=1e-5)
    assert float(found["generator/gradient_norm"]) == pytest.approx(generator, rel=1e-5)


def test_norms_are_those_before_clipping(adversarial, variational, fit):
    for make in (adversarial, variational):
        free, clipped = make(seed=1), make(seed=1, gradient_clip=1e-6)
        for model in (free, clipped):
            torch.manual_seed(3)
            fit(model, 1)
        free_norms, clipped_norms = free.gradient_norms(), clipped.gradient_norms()
        assert free_norms.keys() == clipped_norms.keys()
        first = "vae/gradient_norm" if make is variational else "critic/gradient_norm"  # the next moves from elsewhere
        assert (
            float(clipped_norms[first]) == pytest.approx(float(free_norms[first]), rel=1e-5)
            and float(clipped_norms[first]) > 1e-3
        )


HISTORY = {f"critic/{name}": torch.ones(80, dtype=torch.float64) for name in ("total", "real_score", "fake_score")}
HISTORY |= {f"{player}/gradient_norm": torch.ones(80, dtype=torch.float64) for player in ("critic", "generator", "vae")}
X = torch.rand(230, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
B = Batch(X, None, torch.arange(230))


@pytest.fixture
def kinds(adversarial, variational):
    def of(name, **changes):
        made = {"gan": adversarial, "wgan": partial(adversarial, WGAN), "vae": variational}[name](**changes)
        return made, lambda held_out=B[:200]: [type(e) for e in made.evidence(B, held_out, HISTORY)]

    return of


def test_each_family_shows_its_own(kinds):
    both = [Logged, GradientNorms, GradientNorms]
    dragan = Dragan(weight=10.0, every=1, target=1.0, noise_scale=0.5)
    assert kinds("gan")[1]() == [*both, DiscriminatorLoss]
    assert kinds("gan", constraint=dragan)[1]() == [*both, DiscriminatorLoss, InputGradients]
    assert kinds("gan", constraint=R1(weight=1.0, every=1))[1]() == [*both, DiscriminatorLoss]
    assert kinds("wgan")[1]() == [*both, CriticScores, InputGradients]
    assert kinds("wgan", constraint=WeightClipping(bound=0.1))[1]() == [*both, CriticScores]
    assert kinds("vae")[1]() == [Logged, GradientNorms, Posterior]
    # Without held-out examples nothing is said about them.
    assert kinds("wgan")[1](None) == [*both, InputGradients]


def test_what_is_shown_is_of_the_examples_given(adversarial, variational):
    wgan, vae = adversarial(WGAN), variational()
    scores, gradients = wgan.evidence(B, B[:200], {})
    assert torch.allclose(scores.train, wgan.critic(X).detach(), atol=1e-6)
    assert torch.allclose(scores.held_out, wgan.critic(X[:200]).detach(), atol=1e-6)
    assert len(scores.fake) == len(gradients.norms) == 230
    (posterior,) = vae.evidence(B, B[:200], {})
    assert torch.allclose(posterior.loc, vae.encoder(X[:200]).mean, atol=1e-6)


def test_the_discriminator_is_judged_by_its_last_updates_against_chance(adversarial):
    history = {**HISTORY, "critic/total": torch.arange(80, dtype=torch.float64)}
    loss = adversarial().evidence(B, B, history)[-1]
    assert loss.loss.tolist() == list(range(30, 80)) and loss.chance == pytest.approx(1.3862943611)


def test_a_packed_critic_shows_whole_packs(adversarial):
    critic = mlp.Critic((2, 8, 8), hidden=[16], activation="ReLU", init=partial(init.glorot_uniform_, gain=1.0))
    scores, gradients = adversarial(WGAN, critic=Packed(critic, 2)).evidence(B[:29], B[:7], {})
    assert (len(scores.train), len(scores.held_out), len(gradients.norms)) == (14, 3, 14)


@pytest.mark.parametrize("name", ["gan", "wgan", "vae"])
def test_looking_leaves_no_trace(kinds, name, fit):
    model, _ = kinds(name, ema_halflife=50)
    fit(model, 2)
    model.train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    torch.manual_seed(4)
    before = torch.get_rng_state()
    first, second = (model.evidence(B, B, {}) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before) and model.training
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    kept = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(gradients, kept, strict=True))
    tensors = [[v for v in vars(e).values() if isinstance(v, torch.Tensor)] for pair in (first, second) for e in pair]
    assert all(not v.requires_grad for group in tensors for v in group)
    half = len(tensors) // 2
    for a, b in zip(tensors[:half], tensors[half:], strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_parts_of_a_sample_are_the_sample(adversarial):
    model = adversarial()
    whole = model.sample(7, seed=0)
    parts = [model.sample_part(7, 0, part) for part in (slice(0, 3), slice(3, 7))]
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)
