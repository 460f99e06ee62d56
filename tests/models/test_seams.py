"""The seams of game and bound, each proved by its first user: pairs, lazy sums, schedules, priors, classes."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import softplus

from ganvas.commands.sample import interpolate, traverse
from ganvas.config import ConfigError
from ganvas.data import DataModule, Identity, Source, TensorExamples
from ganvas.latents import GaussianMixture
from ganvas.models import WGAN
from ganvas.models.schedules import CosineDecay, ExponentialDecay, LinearDecay, Ramp, Stages, WarmUp
from ganvas.objectives import ELBO, R1, R2, GradientPenalty, Relativistic, Sum
from ganvas.run.compatibility import _check_classes
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Batch


def test_relativistic_steps_equal_a_plain_loop(adversarial, fit, stream):
    reference = adversarial(seed=7, objective=Relativistic())
    generator, critic = reference.generator, reference.critic
    adam = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999))
    generator_adam, critic_adam = adam(generator.parameters()), adam(critic.parameters())
    torch.manual_seed(99)
    for batch in stream(4):
        fake = generator(torch.randn(16, 4))
        critic_adam.zero_grad()
        softplus(critic(fake.detach()) - critic(batch.x)).mean().backward()
        critic_adam.step()
        generator_adam.zero_grad()
        softplus(critic(batch.x) - critic(fake)).mean().backward()
        generator_adam.step()
    model = adversarial(seed=7, objective=Relativistic())
    torch.manual_seed(99)
    fit(model, 4)
    for ours, plain in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-7)


def test_r3gan_with_lazy_parts_trains_and_a_period_of_one_is_what_it_was(adversarial, fit):
    lazy = Sum({"r1": R1(1.0, every=4), "r2": R2(1.0, every=1)})
    fit(adversarial(objective=Relativistic(), constraint=lazy), 5)
    one, summed = (
        adversarial(seed=3, constraint=R1(1.0, every=1)),
        adversarial(seed=3, constraint=Sum({"r1": R1(1.0, every=1)})),
    )
    for model in (one, summed):
        torch.manual_seed(5)
        fit(model, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), summed.parameters(), strict=True))


def test_a_critic_with_a_rate_of_its_own(adversarial, fit):
    model = adversarial(critic_optimizer={"lr": 4e-3}, schedule=LinearDecay(images=64))
    rates = [o.param_groups[0]["lr"] for o in fit(model, 3).optimizers]
    assert rates == pytest.approx([1e-3 / 2, 4e-3 / 2])


def watched(model, read):
    """What ``read`` finds at each step of the model."""
    seen, step = [], model.step
    model.step = lambda batch: (seen.append(read(model)), step(batch))[1]
    return seen


def test_a_schedule_moves_the_weight_of_a_penalty(adversarial, fit):
    penalty = GradientPenalty(10.0, 1.0, False, every=1)
    model = adversarial(WGAN, constraint=penalty, schedules={"constraint": {"weight": WarmUp(images=64)}})
    seen = watched(model, lambda m: m.constraint.weight)
    fit(model, 6)
    assert seen == pytest.approx([10 * min(s / 64, 1) for s in (0, 16, 32, 48, 64, 80)]) and penalty.weight == 10


def test_a_schedule_moves_a_part_of_a_sum_and_nothing_beside_it(adversarial, fit):
    parts = Sum({"r1": R1(2.0, every=1), "r2": R2(3.0, every=1)})
    model = adversarial(constraint=parts, schedules={"constraint.parts.r1.weight": LinearDecay(images=32)})
    seen = watched(model, lambda m: (m.constraint.parts["r1"].weight, m.constraint.parts["r2"].weight))
    fit(model, 3)
    assert seen == [(2.0, 3.0), (1.0, 3.0), (0.0, 3.0)]


def test_a_schedule_warms_the_kl_up(variational, fit):
    model = variational(objective=ELBO(1, 4.0, 0.0), schedules={"objective": {"beta": WarmUp(images=32)}})
    seen = watched(model, lambda m: m.objective.beta)
    fit(model, 4)
    assert seen == [0.0, 2.0, 4.0, 4.0]


def read_betas_and_halflife(model):
    return (*model.trainer.optimizers[0].param_groups[0]["betas"], model.averages["generator"].halflife)


def test_a_schedule_moves_adams_betas_and_the_memory_of_the_average(adversarial, fit):
    betas = Ramp(start=[0.0, 0.9], end=[0.5, 0.99], images=64)
    model = adversarial(
        ema_halflife=1000, schedules={"optimizer": {"betas": betas}, "ema_halflife": LinearDecay(images=64)}
    )
    seen = watched(model, read_betas_and_halflife)
    fit(model, 3)
    assert [x for row in seen for x in row] == pytest.approx([0.0, 0.9, 1000, 0.125, 0.9225, 750, 0.25, 0.945, 500])


def test_a_resumed_run_with_schedules_equals_an_uninterrupted_one(adversarial, fit, tmp_path):
    moved = {"optimizer": {"betas": Ramp([0.0, 0.9], [0.5, 0.99], 64)}, "constraint": {"weight": WarmUp(images=64)}}
    make = partial(adversarial, constraint=R1(5.0, every=1), schedules=moved)
    torch.manual_seed(1)
    whole = make()
    torch.manual_seed(2)
    fit(whole, 6)
    first = make()
    torch.manual_seed(2)
    fit(first, 3).save_checkpoint(tmp_path / "x.ckpt")
    resumed = make()
    fit(resumed, 3, start=3, ckpt_path=tmp_path / "x.ckpt")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize("name", ["constraint.weight", "objective.nonsense", "optimizer.momentum", "ema_halflife", "x"])
def test_a_schedule_of_what_nobody_bears_is_refused(adversarial, name):
    with pytest.raises(ValueError, match=f"^schedules.{name}: the model has no such number"):
        adversarial(schedules={name: WarmUp(images=1)}).configure_optimizers()


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        ({"constraint": {"every": Ramp(1.0, 2.0, 64)}}, ["constraint.every: the model has no such number"]),
        ({"constraint": {"weight": 3}}, ["constraint.weight: got 3, expected a schedule"]),
        ({"optimizer": {"betas": Ramp(0.0, 1.0, 64)}}, ["optimizer.betas: it starts at 0.0, expected as many"]),
        ({"constraint": {"weight": Ramp([1.0, 2.0], [3.0, 4.0], 64)}}, ["constraint.weight: it starts at [1.0, 2.0]"]),
    ],
)
def test_a_schedule_of_another_shape_or_of_a_whole_number_is_refused(adversarial, schedules, words):
    with pytest.raises(ValueError) as error:
        adversarial(constraint=R1(1.0, every=1), schedules=schedules).configure_optimizers()
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    "make",
    [LinearDecay, CosineDecay, WarmUp, Stages, lambda n: Ramp(0.0, 1.0, n), lambda n: ExponentialDecay(1.5, n, 0.1)],
)
def test_a_schedule_of_no_images_is_refused(make):
    with pytest.raises(ValueError, match="got 0, expected more than 0 images"):
        make(0)


def test_a_ramp_has_as_many_numbers_at_its_end():
    with pytest.raises(ValueError, match="as many numbers in both"):
        Ramp([0.0, 0.9], 1.0, 64)


def test_a_mixture_prior_trains_by_an_estimated_kl(variational, fit):
    model = variational(prior=GaussianMixture(4, components=3, radius=3.0, sigma=1.0))
    fit(model, 2)
    x = torch.rand(8, 1, 8, 8) * 2 - 1
    torch.manual_seed(0)
    terms = model.evaluate(Batch(x, None, torch.arange(8)))
    torch.manual_seed(0)
    with torch.no_grad():
        posterior = model.encoder(x)
        z = posterior.rsample((1,))
        expected = (posterior.log_prob(z) - model.prior.log_prob(z)).mean()
    assert float(terms.kl) == pytest.approx(float(expected), rel=1e-5)
    assert model.sample(3, seed=0).shape == (3, 1, 8, 8)


class Labelled(nn.Module):
    """Adds a number for each class to what the plain network says."""

    def __init__(self, network, classes=3):
        super().__init__()
        self.network, self.classes = network, classes
        self.shape, self.latent_dim = network.shape, getattr(network, "latent_dim", None)
        self.seen = []

    def forward(self, x, y):
        self.seen.append(y)
        # Examples move by their class; scores and posteriors pass as they are.
        out = self.network(x)
        return out + y.reshape(-1, 1, 1, 1) if isinstance(out, torch.Tensor) and out.ndim == 4 else out


def labelled_batch(n=16):
    return Batch(torch.rand(n, 1, 8, 8) * 2 - 1, torch.arange(n) % 3, torch.arange(n))


def test_classes_reach_the_networks_of_a_gan(adversarial, networks, fit):
    parts = networks()
    model = adversarial(generator=Labelled(parts["generator"]), critic=Labelled(parts["critic"]))
    fit(model, 1, batches_of=labelled_batch)
    y = labelled_batch().y
    assert all(torch.equal(seen, y) for network in (model.generator, model.critic) for seen in network.seen)
    assert len(model.generator.seen) == 1 and len(model.critic.seen) == 3


def test_samples_take_classes_or_draw_them_from_the_training_data(adversarial, networks):
    parts = networks()
    model = adversarial(generator=Labelled(parts["generator"]), critic=parts["critic"])
    model.learn_of(100, torch.tensor([0] * 90 + [2] * 10))
    drawn = model.draw_labels(5000, seed=1)
    assert set(drawn.tolist()) == {0, 2} and float((drawn == 2).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert torch.equal(drawn, model.draw_labels(5000, seed=1))
    ones, twos = (model.sample(4, seed=0, y=torch.full((4,), c)) for c in (1, 2))
    assert torch.allclose(twos - ones, torch.ones(()), atol=1e-6)
    assert torch.equal(model.sample(9, seed=3)[4:], model.sample_part(9, 3, slice(4, 9)))


def test_classes_reach_the_networks_of_a_vae(variational, networks):
    parts = networks()
    encoder, decoder = Labelled(parts["encoder"]), Labelled(parts["decoder"])
    model = variational(encoder=encoder, decoder=decoder, objective=ELBO(2, 1.0, 0.0))
    batch = labelled_batch(4)
    model.evaluate(batch)
    assert torch.equal(model.encoder.seen[-1], batch.y) and torch.equal(model.decoder.seen[-1], batch.y.repeat(2))
    assert model.reconstruct(batch).shape == batch.x.shape


def test_plain_models_hold_no_classes_and_two_numbers_of_classes_are_refused(adversarial, networks):
    assert adversarial().classes is None and "label_marginal" not in adversarial().state_dict()
    parts = networks()
    with pytest.raises(ValueError, match="different numbers of classes: {'generator': 3, 'critic': 4}"):
        adversarial(generator=Labelled(parts["generator"]), critic=Labelled(parts["critic"], 4))


class Toy(Source):
    """Three black images."""

    splits = ("train",)

    def __init__(self, labels, classes):
        super().__init__("toy", (1, 8, 8))
        self.labels, self.classes = labels, classes

    def _load(self, split):
        labels = None if self.labels is None else torch.tensor(self.labels)
        return TensorExamples(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), labels)


def toy(labels, classes):
    return DataModule(Toy(labels, classes), Identity(), batch_size=1, seed=0, workers=0)


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (None, None, "has no labels"),
        ([0, 1, 3], None, "conditional on 3 classes, data=toy has 4"),
        ([0, 1, 0], ("a", "b"), "conditional on 3 classes, data=toy has 2"),
        ([0, 1, 0], None, None),
        ([0, 1, 0], ("a", "b", "c"), None),
    ],
)
def test_a_conditional_network_needs_data_of_its_classes(adversarial, networks, labels, classes, words):
    model = adversarial(generator=Labelled(networks()["generator"]))
    with nullcontext() if words is None else pytest.raises(ConfigError, match=words):
        _check_classes(toy(labels, classes), model)


def test_interpolation_keeps_one_class_a_row_and_traversal_one_in_all(adversarial, networks):
    model = adversarial(generator=Labelled(networks()["generator"]))
    subject = ModelSubject("toy", model, lambda: toy([0, 1, 2], None), images_seen=0)
    cfg = OmegaConf.create(
        {"classes": None, "n": 24, "columns": 4, "seed": 5, "kind": "interpolation", "source": "toy", "group": None}
    )
    for kind, rows in ((interpolate, 6), (traverse, 4)):
        made = kind(subject, cfg)
        seen = model.generator.seen[-1].reshape(rows, 4)
        assert (seen == seen[:, :1]).all() and made.examples.shape == (rows * 4, 1, 8, 8)
        assert (len(seen.unique()) == 1) == (kind is traverse)
