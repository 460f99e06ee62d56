"""Private updates against gradients of single examples, and epsilon against the Gaussian mechanism's formula."""

import json
import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganvas.augment import ADA, Unaugmented
from ganvas.cli import main
from ganvas.models import private
from ganvas.models.modes import frozen
from ganvas.models.private import PrivateGradients, private_part
from ganvas.networks import dcgan
from ganvas.networks.minibatch_std import MinibatchStd
from ganvas.networks.packing import Packed
from ganvas.objectives import (
    DPSGD,
    R1,
    NoAuxiliary,
    NonSaturating,
    PrivacyError,
    Relativistic,
    Sum,
    WeightClipping,
)
from ganvas.objectives.constraints import dp_sgd

from ..tiny import NARROW, TINY, project

N = 6
needs_opacus = pytest.mark.skipif(dp_sgd.find_spec("opacus") is None, reason="opacus is not installed")


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return dcgan.Critic((1, 8, 8), [4, 8], False, partial(nn.init.normal_, std=0.3))


def loss(critic, real, fake):
    return softplus(-critic(real)).mean() + softplus(critic(fake)).mean()


def clipped_mean(critic, real, fake, clip):
    total = [torch.zeros_like(p) for p in critic.parameters()]
    norms = []
    for i in range(N):
        gradient = torch.autograd.grad(loss(critic, real[i : i + 1], fake[i : i + 1]), list(critic.parameters()))
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradient)))
        total = [t + g * min(1, clip / norms[-1]) for t, g in zip(total, gradient, strict=True)]
    assert min(norms) < clip < max(norms)
    return [t / N for t in total]


@needs_opacus
def test_the_gradient_is_the_mean_of_clipped_gradients_of_single_examples(critic):
    real, fake = torch.randn(2, N, 1, 8, 8)
    real[0] /= 100
    clip = 5.0
    expected = clipped_mean(critic, real, fake, clip)
    gradients = PrivateGradients(critic, DPSGD(clip, 1e-9, 1e-5), 1, 1.0)
    for _ in range(2):  # nothing is left over from the first
        critic.zero_grad()
        gradients.watch()
        loss(critic, real, fake).backward()
        gradients.replace()
        with frozen(critic):  # the generator's turn: it passes the critic and leaves no trace in it
            softplus(-critic(fake.requires_grad_())).mean().backward()
        for parameter, wanted in zip(critic.parameters(), expected, strict=True):
            assert torch.allclose(parameter.grad, wanted, atol=1e-5)
        fake = fake.detach()


@needs_opacus
def test_the_noise_has_the_stated_size(critic):
    real, fake = torch.randn(2, N, 1, 8, 8)
    gradients = PrivateGradients(critic, DPSGD(2.0, 3.0, 1e-5), 1, 1.0)
    drawn = []
    for _ in range(60):
        gradients.watch()
        loss(critic, real, fake).backward()
        gradients.replace()
        drawn.append(torch.cat([p.grad.flatten() for p in critic.parameters()]))
    assert float(torch.stack(drawn).std(0).mean()) == pytest.approx(3 * 2 / N, rel=0.05)


@needs_opacus
def test_epsilon_of_whole_batches_is_that_of_the_gaussian_mechanism():
    """With whole batches the Rényi divergence of order a is T a / (2 sigma^2), Mironov 2017, corollary 3."""
    noise, updates, delta = 20.0, 50, 1e-5
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    bounds = [
        updates * a / (2 * noise**2) + math.log((a - 1) / a) - (math.log(delta) + math.log(a)) / (a - 1) for a in orders
    ]
    part = DPSGD(1.0, noise, delta)
    assert part.epsilon(updates, 1.0) == pytest.approx(min(bounds), rel=1e-6)
    assert part.epsilon(updates, 0.1) < part.epsilon(updates, 1.0) < part.epsilon(2 * updates, 1.0)


PART = DPSGD(1.0, 1.0, 1e-5)


@pytest.mark.parametrize(
    ("critic", "objective", "constraint", "clip", "said"),
    [
        (nn.Identity(), NonSaturating(), Sum({"a": PART, "b": R1(1.0, every=1)}), None, "R1"),
        (nn.Identity(), Relativistic(), PART, None, "Relativistic"),
        (nn.Identity(), NonSaturating(), PART, 1.0, "gradient_clip=1.0"),
        (nn.Sequential(nn.BatchNorm1d(2)), NonSaturating(), PART, None, "0 of the critic"),
        (nn.Sequential(MinibatchStd(4)), NonSaturating(), PART, None, "0 of the critic, which couples examples"),
        (
            Packed(dcgan.Critic((2, 8, 8), [4], False, nn.init.normal_), 2),
            NonSaturating(),
            PART,
            None,
            "a critic that packs",
        ),
    ],
)
def test_ways_around_the_clipping_are_refused(critic, objective, constraint, clip, said):
    with pytest.raises(ValueError, match=f"constraint=dp_sgd does not go together with {said}"):
        private_part(critic, objective, constraint, NoAuxiliary(), Unaugmented(), clip, 1)


def test_a_strength_that_follows_the_scores_is_refused_and_a_fixed_augmentation_is_not():
    with pytest.raises(ValueError, match="constraint=dp_sgd does not go together with ADA with a target"):
        private_part(nn.Identity(), NonSaturating(), PART, NoAuxiliary(), ADA(0.0, 0.6, 500_000), None, 1)
    for augment in (ADA(0.2, None, 500_000), Unaugmented()):
        assert private_part(nn.Identity(), NonSaturating(), PART, NoAuxiliary(), augment, None, 1) is PART


def test_weight_clipping_may_stand_beside_it_and_others_stay_public():
    both, rest = Sum({"a": WeightClipping(0.1), "b": PART}), (NoAuxiliary(), Unaugmented(), None, 1)
    assert private_part(nn.Identity(), NonSaturating(), both, *rest) is PART
    assert private_part(nn.Identity(), NonSaturating(), R1(1.0, every=1), NoAuxiliary(), Unaugmented(), 1.0, 4) is None


def test_what_a_training_cannot_be_private_with(critic, monkeypatch):
    with pytest.raises(PrivacyError, match="2 processes"):
        monkeypatch.setattr(private, "require_opacus", lambda: None)
        PrivateGradients(critic, PART, 2, 1.0)
    monkeypatch.setattr(dp_sgd, "find_spec", lambda name: None)
    with pytest.raises(PrivacyError, match="pip install opacus"):
        dp_sgd.require_opacus()


@needs_opacus
def test_a_training_tells_its_epsilon(tmp_path, template):
    with project(tmp_path, template):
        line = ["train", *TINY, *NARROW, "model=gan", "constraint=dp_sgd", "score.every=null", "paths.output=out"]
        assert main([*line, "budget.images=320"]) == 0
    found = json.loads((tmp_path / "out" / "result.json").read_text())["findings"]["privacy"]
    assert found["value"] == pytest.approx(PART.epsilon(5, 64 / 3500)) and found["state"] == "ok"
