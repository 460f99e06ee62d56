"""Augmentation and the generator's regulariser in the game: who sees what, what is kept, and what a schedule moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ganvas.augment import ADA, Augmentation, InstanceNoise
from ganvas.models import GAN, WGAN
from ganvas.models.scheduled import ScheduleError
from ganvas.models.schedules import LinearDecay
from ganvas.objectives import R1, PathLength, Relativistic, Wasserstein


@dataclass(frozen=True)
class Recorded(Augmentation):
    """Adds ``p`` to the examples, and keeps what came."""

    p: float
    came: list[Any] = field(default_factory=list)

    def __call__(self, x, p):
        self.came.append((x, p))
        return x + p

    def check(self, shape):
        assert shape == (1, 8, 8)


def after(model, fit, batches=3, **options):
    torch.manual_seed(99)
    fit(model, batches, **options)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_critic_sees_nothing_that_is_not_augmented(adversarial, fit, stream):
    augment, seen = Recorded(0.25), []
    model = adversarial(augment=augment, constraint=R1(1.0, every=1))
    model.critic.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    after(model, fit, 1)
    (batch,) = stream(1)
    real, fake, penalised, generated = (x for x, _ in augment.came)
    assert torch.equal(real, batch.x) and torch.equal(penalised, batch.x) and torch.equal(fake, generated)
    assert generated.requires_grad and not fake.requires_grad
    assert all(torch.equal(a, b + 0.25) for a, (b, _) in zip(seen, augment.came, strict=True))


def test_adas_probability_rises_is_logged_and_goes_on_after_a_stop(adversarial, fit, tmp_path):
    def make():
        return adversarial(seed=3, augment=ADA(p=0.2, target=-0.99, images=640))

    whole, half, rest = make(), make(), make()
    straight = after(whole, fit, 10)
    torch.manual_seed(99)
    fit(half, 5).save_checkpoint(tmp_path / "half.ckpt", weights_only=False)
    fit(rest, 5, start=5, ckpt_path=tmp_path / "half.ckpt")
    resumed = torch.cat([p.detach().flatten() for p in rest.parameters()])
    assert torch.equal(straight, resumed)
    for name, value in whole.strength.named_buffers():
        assert torch.equal(value, rest.strength.get_buffer(name)), name
    assert whole.terms["augment/p"].item() == pytest.approx(0.2 + 8 * 16 / 640)  # every fourth update moves it


@pytest.mark.parametrize("parts", [1, 2])
def test_the_strength_observes_the_scores_of_all_real_images_of_an_update(adversarial, fit, stream, monkeypatch, parts):
    model = adversarial(augment=ADA(p=0.0, target=0.6, images=640), critic_optimizer={"lr": 0.0}, accumulate=parts)
    observed = []
    monkeypatch.setattr(type(model.strength), "observe", lambda _, scores, images: observed.append((scores, images)))
    monkeypatch.setattr(pl.Trainer, "world_size", property(lambda _: 3))
    after(model, fit, 1)
    (batch,) = stream(1)
    ((scores, images),) = observed
    torch.testing.assert_close(scores, model.critic(batch.x))
    assert images == 48 and not scores.requires_grad  # over three processes


def test_a_schedule_moves_the_strength(adversarial, fit):
    augment = Recorded(1.0)
    after(adversarial(augment=augment, schedules={"augment": {"p": LinearDecay(images=64)}}), fit, 4)
    assert sorted({p for _, p in augment.came}, reverse=True) == [1.0, 0.75, 0.5, 0.25]


def test_instance_noise_changes_the_game(adversarial, fit):
    plain, noisy = (after(adversarial(seed=3, **changes), fit) for changes in ({}, {"augment": InstanceNoise(p=0.5)}))
    assert not torch.equal(plain, noisy)


def test_the_regulariser_is_lazy_by_updates_of_the_generator(adversarial, fit, monkeypatch):
    model = adversarial(seed=3, n_critic=2, regulariser=PathLength(weight=2.0, every=2, decay=0.1))
    seen = []
    step = model.step
    model.step = lambda batch: (terms := step(batch), seen.append("generator/regulariser" in terms))[0]
    updates, penalty = [], PathLength.penalty
    spy = lambda self, g, z, y, update: (updates.append(update), penalty(self, g, z, y, update))[1]  # noqa: E731
    monkeypatch.setattr(PathLength, "penalty", spy)
    after(model, fit, 8)
    assert updates == [0, 1, 2, 3]
    assert seen == [False, True, *[True] * 6]


def test_the_regularisers_state_is_in_the_checkpoint(adversarial, fit):
    model = adversarial(ema_halflife=50, regulariser=PathLength(weight=2.0, every=1, decay=0.1))
    fresh = {name: value.clone() for name, value in model.generator.named_buffers()}
    after(model, fit, 2)
    assert fresh and all(not torch.equal(value, fresh[name]) for name, value in model.generator.named_buffers())
    assert all(f"generator.{name}" in model.state_dict() for name in fresh)


def test_a_strength_that_follows_the_scores_needs_scores_with_a_sign_and_no_schedule(adversarial, fit):
    ada = ADA(p=0.0, target=0.6, images=640)
    for kind, objective in ((WGAN, Wasserstein()), (GAN, Relativistic())):
        with pytest.raises(ValueError, match="ADA with a target follows the signs of real scores, which say nothing"):
            adversarial(kind, objective=objective, augment=ada)
        adversarial(kind, objective=objective, augment=ADA(p=0.2, target=None, images=640))
    with pytest.raises(ScheduleError, match="augment.p: the model has no such number"):
        fit(adversarial(augment=ada, schedules={"augment": {"p": LinearDecay(images=64)}}), 1)
