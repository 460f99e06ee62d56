"""The alternation of GAN and WGAN, against a loop written out in plain PyTorch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn.functional import softplus

from ganvas.models import GAN, WGAN
from ganvas.models.modes import frozen
from ganvas.networks import Packed, init, mlp
from ganvas.objectives import R1, R2, NonSaturating, Sum, Unconstrained, Wasserstein, WeightClipping


def copies(module):
    return [p.detach().clone() for p in module.parameters()]


def changed(before, module):
    return any(not torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))


def test_gan_steps_equal_a_plain_loop(adversarial, fit, stream):
    reference = adversarial(seed=7)
    generator, critic = reference.generator, reference.critic
    generator_adam = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    critic_adam = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
    torch.manual_seed(99)
    for batch in stream(5):
        real = batch.x
        fake = generator(torch.randn(16, 4))
        loss = softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean()
        critic_adam.zero_grad()
        loss.backward()
        critic_adam.step()
        generator_adam.zero_grad()
        softplus(-critic(fake)).mean().backward()
        generator_adam.step()
    model = adversarial(seed=7)
    torch.manual_seed(99)
    fit(model, 5)
    for ours, plain in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-7)


def test_simultaneous_updates_take_both_gradients_at_the_same_weights(adversarial, fit, stream):
    reference = adversarial(seed=7)
    generator, critic = reference.generator, reference.critic
    torch.manual_seed(99)
    for batch in stream(4):
        real = batch.x
        fake = generator(torch.randn(16, 4))
        losses = {
            critic: softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean(),
            generator: softplus(-critic(fake)).mean(),
        }
        gradients = {net: torch.autograd.grad(loss, [*net.parameters()]) for net, loss in losses.items()}
        with torch.no_grad():
            for net, found in gradients.items():
                for p, g in zip(net.parameters(), found, strict=True):
                    p -= 0.1 * g
    sgd = partial(torch.optim.SGD, lr=0.1)
    model = adversarial(seed=7, simultaneous=True, optimizer=sgd)
    torch.manual_seed(99)
    fit(model, 4)
    for ours, plain in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-7)


def test_the_generator_moves_every_nth_time(adversarial, stream, fit):
    model = adversarial(WGAN, n_critic=3)
    moves = []
    step = model.step

    def watched(x):
        generator, critic = copies(model.generator), copies(model.critic)
        terms = step(x)
        moves.append((changed(generator, model.generator), changed(critic, model.critic)))
        return terms

    model.step = watched
    fit(model, 7)
    assert moves == [(False, True), (False, True), (True, True)] * 2 + [(False, True)]


def test_a_generator_update_leaves_the_critic_alone(adversarial, fit):
    model = adversarial()
    fit(model, 1)
    critic_gradients = [p.grad.clone() for p in model.critic.parameters()]
    fake = model.generator(model.prior.sample(16))
    with frozen(model.critic):
        model.objective.generator_terms(model.critic(fake)).total.backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(critic_gradients, model.critic.parameters(), strict=True))
    assert all(p.requires_grad for p in model.critic.parameters())


def test_progress_counts_images_and_not_steps(adversarial, fit):
    model = adversarial(WGAN, n_critic=2)
    trainer = fit(model, 6)
    assert model.images_seen == 6 * 16
    assert trainer.global_step == 6 + 3  # what Lightning counts, and nothing here uses


def test_weight_clipping_holds_after_every_step(adversarial, fit):
    model = adversarial(WGAN, constraint=WeightClipping(bound=0.01))
    fit(model, 3)
    assert max(float(p.detach().abs().max()) for p in model.critic.parameters()) <= 0.01


def test_terms_name_what_the_family_is_read_by(adversarial, fit):
    gan, wgan = adversarial(GAN), adversarial(WGAN)
    fit(gan, 1)
    fit(wgan, 1)
    assert set(gan.headline) <= gan.terms.keys()
    assert set(wgan.headline) | {"critic/penalty"} <= wgan.terms.keys()


def test_a_packed_critic_trains(adversarial, fit):
    critic = mlp.Critic((2, 8, 8), hidden=[16], activation="ReLU", init=partial(init.glorot_uniform_, gain=1.0))
    model = adversarial(critic=Packed(critic, 2), constraint=R1(weight=1.0, every=1))
    before = copies(model.critic)
    fit(model, 2)
    assert changed(before, model.critic)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (GAN, {"objective": Wasserstein()}, ["GAN", "Wasserstein", "model=wgan_gp"]),
        (GAN, {"constraint": WeightClipping(bound=0.01)}, ["GAN", "WeightClipping", "model=wgan"]),
        (WGAN, {"constraint": Unconstrained()}, ["WGAN", "Unconstrained", "constraint=gradient_penalty"]),
        (WGAN, {"constraint": R1(weight=1.0, every=1)}, ["WGAN", "R1", "constraint=gradient_penalty"]),
        (WGAN, {"constraint": Sum({"r1": R1(1.0, every=1), "r2": R2(1.0, every=1)})}, ["WGAN", "got R1 and R2"]),
        (WGAN, {"objective": NonSaturating()}, ["WGAN", "NonSaturating", "model=gan"]),
        (GAN, {"n_critic": 0}, ["n_critic=0", ">= 1"]),
        (GAN, {"ema_halflife": 0}, ["ema_halflife=0", "null"]),
    ],
)
def test_impossible_pairs_are_refused_by_name(adversarial, kind, change, words):
    with pytest.raises(ValueError) as error:
        adversarial(kind, **change)
    assert all(word in str(error.value) for word in words)


def test_parts_of_other_sizes_are_refused(adversarial, networks):
    with pytest.raises(ValueError, match="latents of 5 dimensions, the prior draws 4"):
        adversarial(generator=networks(latent=5)["generator"])
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\), the critic takes \(1, 4, 4\)"):
        adversarial(critic=networks(shape=(1, 4, 4))["critic"])
