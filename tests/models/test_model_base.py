"""What all models share: resuming, averaging, schedules, clipping, sampling."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn

from ganvas.models import WGAN
from ganvas.models.ema import EMA
from ganvas.models.schedules import Constant, CosineDecay, ExponentialDecay, LinearDecay, Ramp, Stages

MODELS = ["gan", "wgan", "vae", "factor_vae", "wae_gan", "aae", "vae_gan"]


@pytest.fixture(params=MODELS)
def make(request, adversarial, variational, with_adversary):
    own = {"gan": adversarial, "wgan": partial(adversarial, WGAN, n_critic=3), "vae": variational}
    return own.get(request.param, partial(with_adversary, request.param))


def assert_equal_states(a, b):
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, fit, tmp_path):
    torch.manual_seed(5)
    whole = make(ema_halflife=50)
    torch.manual_seed(5)
    fit(whole, 10)
    torch.manual_seed(5)
    first = make(ema_halflife=50)
    torch.manual_seed(5)
    fit(first, 4).save_checkpoint(tmp_path / "half.ckpt", weights_only=False)
    torch.manual_seed(123)
    second = make(seed=1, ema_halflife=50)
    fit(second, 6, start=4, ckpt_path=tmp_path / "half.ckpt")
    assert second.images_seen == whole.images_seen == 160
    assert_equal_states(whole.state_dict(), second.state_dict())


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_resumed_run_shows_the_terms_of_a_player_that_is_not_updated_yet(adversarial, fit, tmp_path, clip):
    first = adversarial(WGAN, n_critic=5, gradient_clip=clip)
    fit(first, 7).save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    second = adversarial(WGAN, n_critic=5, gradient_clip=clip)
    fit(second, 1, start=7, ckpt_path=tmp_path / "a.ckpt")
    for name in ("generator/total", "generator/fake_score"):
        assert torch.equal(first.terms[name], second.terms[name])
    norm = "generator/gradient_norm"
    assert torch.equal(first.gradient_norms()[norm], second.gradient_norms()[norm])


def test_a_checkpoint_holds_tensors_and_plain_values_only(make, fit, tmp_path):
    fit(make(ema_halflife=50), 1).save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["images_seen"] == 16


def test_samples_are_a_function_of_weights_and_seed_alone(make):
    model = make(ema_halflife=50)
    model.train()
    before = torch.get_rng_state()
    a, b, c = model.sample(6, seed=0), model.sample(6, seed=0), model.sample(6, seed=1)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training and a.shape == (6, 1, 8, 8) and a.abs().max() <= 1


def test_an_average_halves_the_difference_in_one_half_life():
    torch.manual_seed(0)
    source = nn.Linear(3, 2)
    average = EMA(source, halflife=100)
    start = average.module.weight.clone()
    with torch.no_grad():
        source.weight.add_(1.0)
    for _ in range(10):
        average.update(source, images=10, images_seen=1_000_000)
    torch.testing.assert_close(average.module.weight, start + 0.5)


def test_a_young_average_remembers_a_twentieth_of_the_past():
    source = nn.Linear(1, 1)
    average = EMA(source, halflife=10**9)
    start = average.module.weight.clone()
    with torch.no_grad():
        source.weight.add_(1.0)
    average.update(source, images=5, images_seen=100)
    torch.testing.assert_close(average.module.weight, start + 0.5)


def test_averages_cover_floating_buffers_and_copy_counters():
    source = nn.BatchNorm1d(2)
    average = EMA(source, halflife=10)
    source(torch.randn(8, 2) + 3)
    average.update(source, images=10, images_seen=10_000)
    expected = 0.5 * source.running_mean
    torch.testing.assert_close(average.module.running_mean, expected)
    assert average.module.num_batches_tracked == 1


def test_the_averaged_weights_are_those_sampled(adversarial, fit):
    model = adversarial(ema_halflife=10**6)
    fit(model, 3)
    assert model.weights == "ema" and adversarial().weights == "raw"
    z = model.prior.sample(4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model.sample(4, seed=0), model.averages["generator"].module(z))


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Constant(), [1.0, 1.0, 1.0, 1.0]),
        (LinearDecay(images=100), [1.0, 0.5, 0.0, 0.0]),
        (CosineDecay(images=100), [1.0, 0.5, 0.0, 0.0]),
    ],
)
def test_schedules_at_their_corners(schedule, factors):
    assert [schedule(seen) for seen in (0, 50, 100, 150)] == pytest.approx(factors)
    assert CosineDecay(images=100)(25) == pytest.approx(0.5 + math.sqrt(0.5) / 2)


def test_the_stages_of_the_iwae_are_3280_epochs():
    schedule = Stages(epoch=10)
    assert [schedule(10 * epoch) for epoch in (0, 1, 3, 4, 12, 13)] == pytest.approx(
        [10 ** (-i / 7) for i in (0, 1, 1, 2, 2, 3)]
    )
    assert schedule(10 * 3280 - 1) == pytest.approx(0.1)
    assert schedule(10 * 3280) == pytest.approx(10 ** (-8 / 7))


def test_the_first_gans_rate_falls_by_the_batch_and_its_momentum_rises(adversarial, fit):
    schedule = ExponentialDecay(decay=1.5, batch=16, floor=0.1)
    momentum = {"optimizer": {"momentum": Ramp(start=0.5, end=0.7, images=64)}}
    assert [schedule(seen) for seen in (0, 16, 32, 1600)] == pytest.approx([1, 1 / 1.5, 1 / 2.25, 0.1])
    sgd = partial(torch.optim.SGD, lr=0.3)
    model = adversarial(schedule=schedule, schedules=momentum, optimizer=sgd)
    groups = [group for optimizer in fit(model, 3).optimizers for group in optimizer.param_groups]
    assert [group["momentum"] for group in groups] == pytest.approx([0.6, 0.6])
    assert [group["lr"] for group in groups] == pytest.approx([0.3 / 2.25] * 2)
    with pytest.raises(ValueError, match="optimizer.momentum: the model has no such number to move; it has optimizer"):
        fit(adversarial(schedule=schedule, schedules=momentum), 1)


def test_learning_rates_follow_images_seen(adversarial, fit):
    model = adversarial(schedule=LinearDecay(images=64))
    trainer = fit(model, 3)
    assert [o.param_groups[0]["lr"] for o in trainer.optimizers] == pytest.approx([0.5e-3, 0.5e-3])


def test_clipping_bounds_the_step(adversarial, fit):
    sgd = partial(torch.optim.SGD, lr=1.0)
    model = adversarial(optimizer=sgd, gradient_clip=1e-3)
    before = {name: p.detach().clone() for name, p in model.critic.named_parameters()}
    fit(model, 1)
    moved = torch.cat([(p.detach() - before[name]).flatten() for name, p in model.critic.named_parameters()])
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains_in_float32_weights(make, fit, precision):
    model = make(gradient_clip=1.0)
    fit(model, 3, precision=precision)
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in model.parameters())
    assert all(torch.isfinite(t) for t in model.terms.values())
