"""Options of sampling: standing statistics by hand, styles by hand, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from ganvas.commands.mixing import mix
from ganvas.config import ConfigError
from ganvas.latents import TruncatedNormal, Uniform
from ganvas.metrics.base import MODEL
from ganvas.metrics.registry import metrics
from ganvas.models import Sampling
from ganvas.models.standing import STANDING_BATCH, STANDING_SEED
from ganvas.networks import mlp
from ganvas.scoring.subjects import ModelSubject
from ganvas.types import Conditional, Styled

SHAPE, LATENT, BATCHES = (1, 8, 8), 4, 3


@pytest.fixture
def normalised(adversarial):
    """A GAN whose averaged generator has one batch normalisation, with statistics that training has left."""
    torch.manual_seed(3)
    generator = mlp.Generator(SHAPE, LATENT, [16], "ReLU", True, lambda w: nn.init.normal_(w, std=0.5))
    model = adversarial(generator=generator, ema_halflife=50)
    with torch.no_grad():
        for layer in model.averages["generator"].module.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_mean.uniform_(-1, 1), layer.running_var.uniform_(1, 2), layer.weight.uniform_(0.5, 2)
                layer.num_batches_tracked.fill_(7)
    return model


def state(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_standing_statistics_are_those_of_generated_batches(normalised):
    generator = normalised.averages["generator"].module.double()
    first, norm, last = [m for m in generator.modules() if isinstance(m, (nn.Linear, nn.BatchNorm1d))]
    z = torch.randn(BATCHES * STANDING_BATCH, LATENT, generator=torch.Generator().manual_seed(STANDING_SEED)).double()
    batches = (z @ first.weight.T).split(STANDING_BATCH)
    mean = sum(batch.sum(0) / STANDING_BATCH for batch in batches) / BATCHES
    variance = sum(((b - b.mean(0)) ** 2).sum(0) / (STANDING_BATCH - 1) for b in batches) / BATCHES
    z = torch.randn(5, LATENT, generator=torch.Generator().manual_seed(7)).double()
    hidden = (norm.weight * (z @ first.weight.T - mean) / (variance + norm.eps).sqrt() + norm.bias).relu()
    expected = (hidden @ last.weight.T + last.bias).tanh().view(5, *SHAPE)
    prior = normalised.prior
    normalised.prior_of = lambda _: type("Doubles", (), {"sample": lambda s, n, **k: prior.sample(n, **k).double()})()
    torch.testing.assert_close(normalised.sample(5, 7, sampling=Sampling(standing=BATCHES)), expected)


def test_sampling_by_options_leaves_weights_buffers_modes_and_random_state(normalised):
    normalised.train()
    before, modes, random = state(normalised), [m.training for m in normalised.modules()], torch.get_rng_state()
    plain, options = normalised.sample(6, 0), Sampling(standing=2, truncation=0.5)
    a, b = normalised.sample(6, 0, sampling=options), normalised.sample(6, 0, sampling=options)
    assert torch.equal(a, b) and not torch.equal(a, plain)
    assert not torch.equal(a, normalised.sample(6, 0, sampling=Sampling(truncation=0.5)))
    with pytest.raises(RuntimeError):
        normalised.decoded(torch.zeros(2, LATENT + 1), None, options)
    assert torch.equal(normalised.sample(6, 0), plain) and torch.equal(torch.get_rng_state(), random)
    assert modes == [m.training for m in normalised.modules()]
    after = state(normalised)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


def test_statistics_follow_the_truncated_latents(normalised):
    z = normalised.prior.sample(4, generator=torch.Generator().manual_seed(1))
    narrow, wide = (normalised.decoded(z, None, Sampling(standing=2, truncation=t)) for t in (0.1, 100.0))
    assert not torch.allclose(narrow, wide)
    assert torch.equal(wide, normalised.decoded(z, None, Sampling(standing=2)))


class Styles(nn.Module):
    """The smallest generator with styles: a square, then a sine."""

    latent_dim, shape, styles = LATENT, (LATENT,), 1

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def mean_style(self):
        return torch.arange(4.0)

    def style(self, z, y=None):
        return z.square() * self.scale + (0 if y is None else y[:, None])

    def synthesise(self, w):
        return w.sin()

    def forward(self, z):
        return self.synthesise(self.style(z))


class StylesOfClasses(Styles):
    classes = 3

    def forward(self, z, y):
        return self.synthesise(self.style(z, y))


@pytest.mark.parametrize("generator", [Styles, StylesOfClasses])
def test_styles_are_drawn_towards_their_mean(adversarial, generator):
    made = generator()
    assert isinstance(made, Styled) and isinstance(made, Conditional) == (generator is StylesOfClasses)
    critic = mlp.Critic((LATENT,), [4], "ReLU", nn.init.xavier_normal_)
    model = adversarial(generator=made, critic=critic)
    z = torch.randn(6, LATENT, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2, 0, 1, 2]) if generator is StylesOfClasses else None
    w = 2 * z**2 + (0 if y is None else y[:, None])
    mean = torch.arange(4.0)
    with torch.no_grad():
        drawn = model.sample(6, 0, y, Sampling(truncation=0.3))
    torch.testing.assert_close(drawn, (0.3 * w + 0.7 * mean).sin())
    torch.testing.assert_close(model.sample(6, 0, y, Sampling(truncation=1.0)), model.sample(6, 0, y))
    assert model.prior_of(Sampling(truncation=0.3)) is model.prior


def test_a_generator_without_styles_takes_truncated_latents(adversarial):
    model = adversarial()
    prior = TruncatedNormal(LATENT, 0.4)
    z = prior.sample(5, generator=torch.Generator().manual_seed(2))
    assert z.abs().max() <= 0.4
    torch.testing.assert_close(model.sample(5, 2, sampling=Sampling(truncation=0.4)), model.decoded(z))


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"standing": 2}, "standing=2: the generator has no batch normalisation.*leave standing out"),
        ({"prior": Uniform(LATENT, 1.0)}, {"truncation": 0.5}, "truncation=0.5: expected a standard normal.*Uniform"),
        ({}, {"standing": 0}, "standing=0: expected at least 1 batch"),
        ({}, {"truncation": 0.0}, "truncation=0.0: expected a number above 0"),
        ({}, {"ema": float("inf")}, "ema=inf: expected a number above 0"),
    ],
)
def test_options_that_do_not_act_are_refused(adversarial, changes, options, words):
    model = adversarial(**changes)
    with pytest.raises(ValueError, match=words):
        model.sample(2, 0, sampling=Sampling(**options))


def test_conditions_name_given_options_and_only_those_that_act():
    options = Sampling(ema=0.07, standing=16, truncation=0.5)
    assert Sampling().conditions(drawn=True) == {} == Sampling(standing=3, truncation=0.5).conditions(drawn=False)
    drawn = {"ema": 0.07, "standing": "16 batches of 100", "truncation": 0.5}
    assert options.conditions(drawn=True) == {"sampling": drawn}
    assert options.conditions(drawn=False) == {"sampling": {"ema": 0.07}}
    assert {name for name, metric in metrics().items() if metric.needs == MODEL} == {"elbo", "nll", "active_units"}


class Layered(nn.Module):
    """A generator whose pixel l shows the first coordinate of the style of layer l."""

    latent_dim, shape, styles = LATENT, (1, 2, 3), 6

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))

    def mean_style(self):
        return torch.full((LATENT,), 0.2)

    def style(self, z, y=None):
        return z * self.scale

    def synthesise(self, w):
        each = w[:, None].expand(-1, self.styles, -1) if w.ndim == 2 else w
        return each[..., 0].reshape(-1, *self.shape)

    def forward(self, z):
        return self.synthesise(self.style(z))


@pytest.mark.parametrize(("crossover", "psi"), [(2, None), (None, 0.5), (5, 2.0)])
def test_mixed_images_have_the_rows_style_before_the_crossover_and_the_columns_from_it(adversarial, crossover, psi):
    critic = mlp.Critic((1, 2, 3), [4], "ReLU", nn.init.xavier_normal_)
    model = adversarial(generator=Layered(), critic=critic)
    subject = ModelSubject("toy", model, lambda: None, images_seen=0, sampling=Sampling(truncation=psi))
    asked = {"classes": None, "n": 9, "columns": 4, "seed": 5, "kind": "mixing", "source": "toy"}
    drawn = mix(subject, OmegaConf.create({**asked, "crossover": crossover, "truncation": psi}))
    first = 3 if crossover is None else crossover
    assert drawn.facts == {"crossover": first} and drawn.examples.shape == (8, 1, 2, 3)
    z = model.prior.sample(6, generator=torch.Generator().manual_seed(5))[:, 0] * 0.1
    styles = z if psi is None else 0.2 + psi * (z - 0.2)
    for i, image in enumerate(drawn.examples):
        row, column = divmod(i, 4)
        torch.testing.assert_close(image.flatten()[:first], styles[row].expand(first))
        torch.testing.assert_close(image.flatten()[first:], styles[2 + column].expand(6 - first))
    assert drawn.picture.shape[1] * 5 * 3 == pytest.approx(drawn.picture.shape[2] * 3 * 2, rel=0.1)


@pytest.mark.parametrize("crossover", [0, 6])
def test_a_crossover_that_leaves_no_layer_is_refused(adversarial, crossover):
    critic = mlp.Critic((1, 2, 3), [4], "ReLU", nn.init.xavier_normal_)
    subjects = [
        ModelSubject("toy", model, lambda: None, images_seen=0)
        for model in (adversarial(generator=Layered(), critic=critic), adversarial())
    ]
    asked = {"n": 8, "columns": 4, "seed": 5, "kind": "mixing", "source": "toy", "truncation": None}
    cfg = OmegaConf.create({**asked, "crossover": crossover})
    with pytest.raises(ConfigError, match=f"crossover={crossover}: expected a layer from 1 to 5"):
        mix(subjects[0], cfg)
    with pytest.raises(ConfigError, match="kind=mixing: the generator of toy has no styles to mix"):
        mix(subjects[1], cfg)
