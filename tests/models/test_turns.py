"""Turns of the game that differ from the plain one: parts of a batch, a batch of one's own, looking ahead, heads."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softplus

from ganvas.latents import Codes
from ganvas.models.accumulation import require_parts, spans
from ganvas.models.unrolling import unrolled
from ganvas.networks import FeatureCritic, mlp
from ganvas.objectives import R1, Classifier, FeatureMatching, LeCam, MutualInformation, PathLength, Relativistic
from ganvas.objectives.regularisers import path_length
from ganvas.types import Batch, Judged

SGD = partial(torch.optim.SGD, lr=0.1)
PAIRS = {"objective": Relativistic(), "constraint": R1(1.0, every=2)}
ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999))


def after(model, fit, batches=3, **options):
    torch.manual_seed(99)
    fit(model, batches, **options)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


# Parts of a batch


@pytest.mark.parametrize("parts", [2, 3, 16])
@pytest.mark.parametrize(
    "changes", [{}, {"objective": Relativistic(), "constraint": R1(1.0, every=2)}, {"n_critic": 2}]
)
def test_a_batch_in_parts_gives_the_step_of_the_whole(adversarial, fit, parts, changes):
    whole, cut = (after(adversarial(seed=3, optimizer=SGD, accumulate=k, **changes), fit) for k in (1, parts))
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-6)


def test_the_terms_of_the_parts_are_those_of_the_whole(adversarial, variational, fit):
    models = [adversarial(seed=3, accumulate=k) for k in (1, 3)]
    for model in models:
        after(model, fit, 1)
    whole, cut = (model.terms for model in models)
    assert whole.keys() == cut.keys()
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value, rtol=1e-5, atol=1e-6, msg=name)
    model = variational(seed=3, accumulate=4)
    after(model, fit, 1)
    assert model.terms["elbo"].item() == pytest.approx((model.terms["reconstruction"] - model.terms["kl"]).item())


def test_moving_means_of_lecam_and_path_length_move_with_each_part(adversarial, fit, stream, monkeypatch):
    lengths = iter([1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(path_length, "path_lengths", lambda *_: torch.full((2,), next(lengths)))
    means = {"constraint": LeCam(1.0, 0.5, every=1), "regulariser": PathLength(1.0, 0.5, every=1)}
    model = adversarial(**means, critic_optimizer={"lr": 0.0}, accumulate=4)
    after(model, fit, 1)
    (batch,) = stream(1)
    mean = 0.0
    for part in spans(16, 4):
        mean = (mean + model.critic(batch.x[part]).mean().item()) / 2
    assert model.critic.lecam_count == 4 and model.critic.lecam_real.item() == pytest.approx(mean, rel=1e-5)
    assert model.generator.path_length_mean == 1 / 16 + 2 / 8 + 3 / 4 + 4 / 2


def test_parts_that_cannot_be_are_refused(adversarial, networks):
    for name, n, parts, pack, wanted in (("batch_size", 4, 5, 1, 5), ("batch_size", 64, 3, 2, 66), ("x", 1, 2, 2, 4)):
        with pytest.raises(ValueError, match=f"^{name}={n}: accumulate={parts} .*; write {name}={wanted}$"):
            require_parts(name, n, parts, pack)
        require_parts(name, wanted, parts, pack)
    with pytest.raises(ValueError, match="model.generator_batch=3: accumulate=4 .*; write model.generator_batch=4"):
        adversarial(generator_batch=3, accumulate=4)
    assert [len(range(9)[span]) for span in spans(9, 4)] == [2, 2, 2, 3]


# The generator's own batch


def test_the_generator_can_have_a_batch_of_its_own(adversarial, fit):
    model, sizes = adversarial(generator_batch=40, accumulate=2), []
    generator = model.generator
    model.generator.register_forward_pre_hook(lambda _, args: sizes.append((len(args[0]), torch.is_grad_enabled())))
    before = [p.clone() for p in generator.parameters()]
    after(model, fit, 1)
    assert sizes == [(8, False), (8, False), (20, True), (20, True)]
    assert not any(torch.equal(a, b) for a, b in zip(before, generator.parameters(), strict=True))


# Looking ahead


def looking(steps):
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer = ADAM(critic.parameters(), lr=0.05)
    for _ in range(3):  # so that the moments are not zero
        optimizer.zero_grad()
        softplus(critic(torch.randn(8, 2).double())).mean().backward()
        optimizer.step()
    real = torch.randn(8, 2).double()

    def loss(weights, fake):
        scores = [torch.func.functional_call(critic, weights, (x,)) for x in (real, fake)]
        return softplus(-scores[0]).mean() + softplus(scores[1]).mean()

    def ahead(fake):
        weights = unrolled(critic, lambda w: loss(w, fake), optimizer, steps)
        return softplus(-torch.func.functional_call(critic, weights, (fake,))).mean()

    return critic, optimizer, loss, ahead


@pytest.mark.parametrize("steps", [1, 3])
def test_the_critic_ahead_is_the_one_that_torchs_adam_would_reach(steps):
    critic, optimizer, loss, _ = looking(steps)
    fake = torch.randn(8, 2).double()
    found = unrolled(critic, lambda w: loss(w, fake), optimizer, steps)
    twin = copy.deepcopy(critic)
    adam = ADAM(twin.parameters(), lr=0.05)
    adam.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(steps):
        adam.zero_grad()
        loss(dict(twin.named_parameters()), fake).backward()
        adam.step()
    for name, weight in twin.named_parameters():
        torch.testing.assert_close(found[name], weight, rtol=1e-9, atol=1e-12)


def test_the_generators_gradient_passes_through_the_critics_steps():
    _, _, _, ahead = looking(2)
    torch.manual_seed(1)
    fake = torch.randn(8, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(ahead, fake, eps=1e-6, atol=1e-6)
    critic, _, _, now = looking(0)
    still = softplus(-critic(fake)).mean()
    assert not torch.allclose(*(torch.autograd.grad(f, fake)[0] for f in (ahead(fake), still)))


def test_looking_ahead_leaves_the_critic_as_it_was(adversarial, fit):
    model = adversarial(seed=3, unroll=4, critic_optimizer={"lr": 0.0})
    before = {name: value.clone() for name, value in model.critic.state_dict().items()}
    after(model, fit)
    assert all(torch.equal(value, before[name]) for name, value in model.critic.state_dict().items())
    assert all(p.requires_grad for p in model.critic.parameters())
    plain, looked = (after(adversarial(seed=3, unroll=k), fit) for k in (0, 4))
    assert not torch.equal(plain, looked)


def test_looking_ahead_leaves_batch_statistics_as_they_were():
    critic = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    before = {name: buffer.clone() for name, buffer in critic.named_buffers()}
    x = torch.randn(8, 2)
    found = unrolled(critic, lambda w: torch.func.functional_call(critic, w, (x,)).mean(), ADAM(critic.parameters()), 2)
    assert all(torch.equal(buffer, before[name]) for name, buffer in critic.named_buffers())
    assert not torch.equal(found["1.running_mean"], before["1.running_mean"])


def test_what_does_not_go_with_looking_ahead_is_refused(adversarial, fit):
    with pytest.raises(ValueError, match="unroll=2 looks ahead with the critic's own loss, without R1; write constr"):
        adversarial(unroll=2, constraint=R1(1.0, every=1))
    with pytest.raises(ValueError, match="unroll: looks ahead with Adam, got SGD; write optimizer=adam"):
        after(adversarial(unroll=2, optimizer=SGD), fit)


# Heads


class Headed(nn.Module):
    """A critic with ``outputs`` further outputs."""

    def __init__(self, critic: FeatureCritic, outputs: int) -> None:
        super().__init__()
        self.critic, self.shape, self.outputs = critic, critic.shape, outputs
        self.head = nn.Linear(critic.output.in_features, outputs)

    def forward(self, x):
        return self.critic(x)

    def read(self, x, y=None):
        said = self.critic.read(x)
        return Judged(said.scores, said.features, self.head(said.features))


def test_steps_with_an_auxiliary_classifier_equal_a_plain_loop(adversarial, networks, fit):
    y = torch.arange(16) % 3
    batch = Batch(torch.rand(16, 1, 8, 8) * 2 - 1, y, torch.arange(16))

    def headed():
        torch.manual_seed(5)
        return Headed(networks()["critic"], 3)

    critic, generator, x = headed(), adversarial(seed=7).generator, batch.x
    adams = ADAM(critic.parameters()), ADAM(generator.parameters())
    torch.manual_seed(99)
    for _ in range(3):
        fake = generator(torch.randn(16, 4))
        for optimizer, of_critic in zip(adams, (True, False), strict=True):
            said = critic.read(fake.detach() if of_critic else fake)
            loss = (softplus(said.scores) if of_critic else softplus(-said.scores)).mean()
            loss = loss + 2 * cross_entropy(said.recognised, y)
            if of_critic:
                real = critic.read(x)
                loss = loss + softplus(-real.scores).mean() + 2 * cross_entropy(real.recognised, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model = adversarial(seed=7, critic=headed(), auxiliary=Classifier(2.0, 3))
    model.on_train_start = lambda: torch.manual_seed(99)
    fit(model, 3, batches_of=lambda: batch)
    expected = [*generator.parameters(), *critic.parameters()]
    for ours, plain in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-7)


def test_codes_are_learned_by_both_players(adversarial, networks, fit):
    codes = Codes(dim=6, categorical=[3], continuous=1)
    generator = networks(latent=6)["generator"]
    critic = Headed(networks()["critic"], 4)
    term, adam = MutualInformation(1.0, codes), partial(torch.optim.Adam, lr=1e-2)
    model = adversarial(prior=codes, generator=generator, critic=critic, auxiliary=term, optimizer=adam)
    costs, step = [], model.step
    model.step = lambda batch: (step(batch), costs.append(model.terms.get("critic/auxiliary")))[0]
    after(model, fit, 60)
    assert costs[-1] < 0.8 * costs[1] and "generator/auxiliary" in model.terms


def test_feature_matching_reads_the_plain_critic(adversarial, fit):
    model = adversarial(seed=3, auxiliary=FeatureMatching(1.0))
    changed, plain = after(model, fit), after(adversarial(seed=3), fit)
    assert not torch.equal(changed, plain) and "critic/auxiliary" not in model.terms


def test_a_critic_that_does_not_show_what_is_read_is_refused(adversarial, networks):
    class Silent(nn.Module):
        shape = (1, 8, 8)

        def forward(self, x):
            return x.flatten(1).sum(1)

    with pytest.raises(ValueError, match="FeatureMatching reads the critic's features, which Silent does not show"):
        adversarial(critic=Silent(), auxiliary=FeatureMatching(1.0))
    with pytest.raises(ValueError, match="reads 3 outputs beside the score, the critic has 0; wrap it in"):
        adversarial(auxiliary=Classifier(1.0, 3))
    with pytest.raises(ValueError, match="generator_batch=8: Relativistic and FeatureMatching compares"):
        adversarial(objective=Relativistic(), auxiliary=FeatureMatching(1.0), generator_batch=8)
    with pytest.raises(ValueError, match="accumulate=0: expected at least 1"):
        adversarial(accumulate=0)


def test_every_plain_critic_of_ours_shows_its_features():
    """Its score is its output layer's value of them."""
    critic = mlp.Critic((2,), [8, 5], "ReLU", partial(nn.init.normal_, std=0.1))
    said = critic.read(torch.randn(3, 2))
    torch.testing.assert_close(critic.output(said.features).squeeze(1), said.scores)
    assert said.features.shape == (3, 5)
