"""What every objective promises, whichever it is: found through the configs and the package's exported names.

A new class without a config, or a config that does not instantiate, fails here; one with a config is covered.
"""

import dataclasses
import inspect
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.distributions import Independent, Normal

import ganvas.objectives as objectives
from ganvas.latents import normal_kl
from ganvas.objectives import (
    Adversarial,
    Bound,
    Constraint,
    Divergence,
    Draws,
    Likelihood,
    Penalty,
    Projection,
    Reparametrisation,
    Terms,
)

CONF = Path(__file__).parents[2] / "conf"
PATHS = {
    f"{group}/{path.stem}": path
    for group in ("objective", "constraint", "likelihood")
    for path in sorted((CONF / group).glob("*.yaml"))
}
CONFIGS = {name: instantiate(OmegaConf.load(path), _convert_="all") for name, path in PATHS.items()}
EXPORTED = [getattr(objectives, name) for name in objectives.__all__]
INTERFACES = (Adversarial, Constraint, Likelihood, Bound)
CLASSES = [cls for cls in EXPORTED if inspect.isclass(cls) and issubclass(cls, INTERFACES)]
IMPLEMENTATIONS = [cls for cls in CLASSES if not inspect.isabstract(cls)]
SHAPES = [(2,), (1, 8, 8), (3, 8, 8)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def every(interface):
    cases = {name: value for name, value in CONFIGS.items() if isinstance(value, interface)}
    return pytest.mark.parametrize("value", cases.values(), ids=cases.keys())


def make_critic(shape, pack=1):
    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(pack * torch.Size(shape).numel(), 16), nn.Tanh(), nn.Linear(16, 1))

        def forward(self, x):
            return self.net(x.reshape(len(x) // pack, -1)).squeeze(1)

    class ImageCritic(nn.Module):
        def __init__(self):
            super().__init__()
            c, h, w = shape
            self.net = nn.Sequential(nn.Conv2d(pack * c, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
            self.head = nn.Linear(4 * (h // 2) * (w // 2), 1)

        def forward(self, x):
            c, h, w = shape
            return self.head(self.net(x.reshape(-1, pack * c, h, w))).squeeze(1)

    return Critic() if len(shape) == 1 else ImageCritic()


def assert_terms(terms):
    assert isinstance(terms, Terms) and dataclasses.is_dataclass(terms)
    assert terms.total.shape == () and terms.total.dtype == torch.float32 and terms.total.requires_grad
    assert terms.named().keys() == {field.name for field in dataclasses.fields(terms)}
    for name, value in terms.named().items():
        assert value.shape == () and torch.isfinite(value) and not value.requires_grad, name


# Discovery


def test_every_implementation_has_a_config():
    parts = {type(part) for value in CONFIGS.values() if isinstance(value, Constraint) for part in value.flat()}
    configured = {type(value) for value in CONFIGS.values()} | parts
    assert {cls.__name__ for cls in IMPLEMENTATIONS} == {cls.__name__ for cls in configured}


def test_every_config_is_of_one_interface_and_in_its_group():
    groups = {"objective": (Adversarial, Bound), "constraint": Constraint, "likelihood": Likelihood}
    for name, value in CONFIGS.items():
        assert isinstance(value, groups[name.split("/")[0]]), name


@pytest.mark.parametrize("name", PATHS)
def test_config_states_every_field_and_says_what_it_is(name):
    fields = {field.name for field in dataclasses.fields(CONFIGS[name])}
    assert set(OmegaConf.load(PATHS[name])) == fields | {"_target_"}
    assert PATHS[name].read_text().startswith("# ")


def subclasses(cls):
    return [c for sub in cls.__subclasses__() for c in (sub, *subclasses(sub)) if c.__module__.startswith("ganvas")]


def test_classes_are_abstract_or_final_and_exported():
    found = {sub for interface in INTERFACES for sub in subclasses(interface)}
    assert found <= set(CLASSES)
    assert all(cls in IMPLEMENTATIONS or subclasses(cls) for cls in found)
    assert not any(subclasses(cls) for cls in IMPLEMENTATIONS)


@every(INTERFACES)
def test_values_are_frozen_equal_by_value_and_without_defaults(value):
    fields = dataclasses.fields(value)
    assert all(f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING for f in fields)
    assert dataclasses.replace(value) == value
    for field in fields:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, 3)


# Adversarial


def sizes(objective):
    """Numbers of real and of generated scores: any, but in pairs where the objective compares pairs."""
    return (5, 5) if objective.paired else (6, 4)


def other(objective, real):
    """The real scores that a generator's loss reads, if it reads any."""
    return real if objective.paired else None


@every(Adversarial)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adversarial_terms_are_finite_float32_and_differentiable(value, dtype):
    real, fake = (torch.randn(n).to(dtype).requires_grad_() for n in sizes(value))
    critic, generator = value.critic_terms(real, fake), value.generator_terms(fake, other(value, real))
    assert_terms(critic)
    assert_terms(generator)
    for gradient in (*torch.autograd.grad(critic.total, (real, fake)), *torch.autograd.grad(generator.total, fake)):
        assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0


@every(Adversarial)
def test_critic_separates_and_generator_follows(value):
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    up, down = torch.autograd.grad(value.critic_terms(real, fake + 0.5).total, (real, fake))
    (generator,) = torch.autograd.grad(value.generator_terms(fake, other(value, real)).total, fake)
    assert (up < 0).all() and (down > 0).all() and (generator < 0).all()


@every(Adversarial)
def test_adversarial_losses_are_means_over_the_batch(value):
    real, fake = (torch.randn(n) for n in sizes(value))
    times = (3, 3) if value.paired else (3, 7)
    one, many = value.critic_terms(real, fake), value.critic_terms(real.repeat(times[0]), fake.repeat(times[1]))
    torch.testing.assert_close(one.named(), many.named())
    many = value.generator_terms(fake.repeat(3), other(value, real.repeat(3))).total
    torch.testing.assert_close(value.generator_terms(fake, other(value, real)).total, many)


# Constraints


@every(Constraint)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pack", [1, 2])
@pytest.mark.parametrize("autocast", [False, True])
def test_constraint_in_a_critics_step(value, shape, pack, autocast):
    critic = make_critic(shape, pack)
    value.prepare(critic)
    real, fake = torch.randn(6, *shape), torch.randn(6, *shape, requires_grad=True)
    before = [p.detach().clone() for p in critic.parameters()]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        penalty = value.penalty(critic, real, fake)
        loss = critic(real).mean() if penalty is None else critic(real).mean() + penalty
    loss.backward()
    if penalty is not None:
        assert penalty.requires_grad
        assert penalty.shape == () and penalty.dtype == torch.float32 and torch.isfinite(penalty) and penalty >= 0
    assert all(torch.isfinite(p.grad).all() for p in critic.parameters() if p.grad is not None)
    assert fake.grad is None and real.grad is None
    assert all(torch.equal(p, b) for p, b in zip(critic.parameters(), before, strict=True))
    value.project(critic)
    assert all(torch.isfinite(p).all() for p in critic.parameters())


@every(Constraint)
def test_constraint_does_one_thing(value):
    critic = make_critic((2,))
    keys = list(critic.state_dict())
    value.prepare(critic)
    prepares = list(critic.state_dict()) != keys
    penalises = value.penalty(critic, torch.randn(4, 2), torch.randn(4, 2)) is not None
    before = [p.detach().clone() for p in critic.parameters()]
    value.project(critic)
    projects = any(not torch.equal(p, b) for p, b in zip(critic.parameters(), before, strict=True))
    kinds = {
        base for part in value.flat() for base in (Penalty, Projection, Reparametrisation) if isinstance(part, base)
    }
    assert prepares + penalises + projects == len(kinds)
    assert isinstance(value.lipschitz, bool)


def test_which_constraints_bound_the_lipschitz_constant():
    names = {name.split("/")[1] for name, value in CONFIGS.items() if getattr(value, "lipschitz", False)}
    assert names == {"gradient_penalty", "one_sided_gradient_penalty", "weight_clipping", "spectral_norm"} | {
        "spectral_norm_r1"
    }


# Likelihoods


@every(Likelihood)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_likelihood(value, shape, k, dtype):
    x = torch.rand(5, *shape).round() * 2 - 1
    location = torch.randn(*([] if k is None else [k]), 5, *shape).to(dtype).requires_grad_()
    log_scale = torch.full((shape[0],), value.initial_log_scale, requires_grad=True) if value.learned_scale else None
    log_prob = value.log_prob(x, location, log_scale)
    assert log_prob.shape == ((5,) if k is None else (k, 5))
    assert log_prob.dtype == torch.float32
    wanted = [location] if log_scale is None else [location, log_scale]
    for gradient in torch.autograd.grad(log_prob.sum(), wanted):
        assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
    assert value.mean(location).shape == location.shape


@every(Likelihood)
def test_likelihood_of_an_example_does_not_depend_on_its_neighbours(value):
    x, location = torch.rand(6, 1, 4, 4) * 2 - 1, torch.randn(2, 6, 1, 4, 4)
    log_scale = torch.zeros(1) if value.learned_scale else None
    whole = value.log_prob(x, location, log_scale)
    alone = [value.log_prob(x[[i]], location[:, [i]], log_scale) for i in range(6)]
    torch.testing.assert_close(whole, torch.cat(alone, dim=1))
    torch.testing.assert_close(whole[1], value.log_prob(x, location[1], log_scale))


@every(Likelihood)
def test_likelihood_is_highest_where_its_mean_is_the_example(value):
    x = torch.full((1, 1, 4, 4), 0.6)
    candidates = torch.linspace(-3, 3, 121).reshape(-1, 1, 1, 1, 1).expand(-1, 1, 1, 4, 4)
    log_scale = torch.full((1,), -3.0) if value.learned_scale else None
    best = candidates[value.log_prob(x, candidates, log_scale).squeeze(1).argmax()]
    torch.testing.assert_close(value.mean(best), x[0].expand_as(best), atol=0.05, rtol=0)


# Bounds


def inputs(k, n, d=3):
    log_px_z, log_pz, log_qz_x = (torch.randn(k, n).requires_grad_() for _ in range(3))
    kl = normal_kl(torch.randn(n, d), torch.rand(n, d) + 0.1).requires_grad_()
    return draws(log_px_z, log_pz, log_qz_x, kl)


def draws(log_px_z, log_pz, log_qz_x, kl):
    posterior = Independent(Normal(torch.zeros_like(kl), 1.0), 1)
    return Draws(log_px_z, log_pz, log_qz_x, kl, torch.zeros(len(log_px_z), *kl.shape), posterior, n_train=100)


@every(Bound)
@pytest.mark.parametrize("k", [1, 4])
def test_bound_terms(value, k):
    batch = inputs(k, 5)
    log_px_z, kl = batch.log_px_z, batch.kl
    terms = value(batch)
    assert_terms(terms)
    (gradient,) = torch.autograd.grad(terms.total, log_px_z)
    assert (gradient <= 0).all() and gradient.sum().item() == pytest.approx(-1)
    torch.testing.assert_close(terms.elbo, terms.reconstruction - terms.kl)
    torch.testing.assert_close(terms.elbo, log_px_z.mean() - kl.sum(1).mean())
    assert value.samples >= 1


@every(Bound)
def test_bound_is_a_mean_over_images(value):
    batch = inputs(4, 6)
    densities = (batch.log_px_z, batch.log_pz, batch.log_qz_x)
    whole = value(batch).named()
    cut = [draws(*(t[:, i : i + 2] for t in densities), batch.kl[i : i + 2]) for i in (0, 2, 4)]
    parts = [value(part).named() for part in cut]
    for name in whole:
        torch.testing.assert_close(whole[name], torch.stack([part[name] for part in parts]).mean(), msg=name)


@every(Divergence)
def test_chance_is_the_loss_of_the_best_constant_score(value):
    scores = torch.linspace(-4, 4, 8001)
    losses = [float(value.critic_terms(s.reshape(1), s.reshape(1)).total) for s in scores]
    assert value.chance == pytest.approx(min(losses), rel=1e-5) and value.chance > 0


@every(Constraint)
def test_shown_gradient_norms_are_those_that_the_penalty_is_made_of(value):
    critic, (real, fake) = make_critic((1, 8, 8)), torch.rand(2, 16, 1, 8, 8)
    torch.manual_seed(1)
    shown = value.input_gradients(critic, real, fake)
    if shown is None:
        assert not hasattr(value, "target")
        return
    torch.manual_seed(1)
    excess = shown.norms - shown.target
    expected = value.weight * (excess.clamp(min=0) if shown.one_sided else excess).square().mean()
    assert float(value.penalty(critic, real, fake)) == pytest.approx(float(expected), rel=1e-5)
    assert not shown.norms.requires_grad and shown.target == value.target
