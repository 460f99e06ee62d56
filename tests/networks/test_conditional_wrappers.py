"""What the wrappers compute, in closed form; what they pass on; and what they refuse by name."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from ganvas.networks import (
    LabelledCritic,
    LabelledGenerator,
    Packed,
    ProjectionCritic,
    Recognising,
    UnitRange,
    dcgan,
    maxout,
    mlp,
)
from ganvas.networks.conditional_norm import ConditionalBatchNorm
from ganvas.networks.init import normal_
from ganvas.objectives import SpectralNorm
from ganvas.types import Conditional, Judged, StartsAtMarginals

init = partial(normal_, std=0.1)
X, Y = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1, 2])


class Recorder(nn.Module):
    """Remembers its input; its score is the sum over the features x, 2 x."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape
        self.output = nn.Linear(2 * shape[0] * (shape[1] * shape[2] if len(shape) == 3 else 1), 1)

    def forward(self, x):
        return self.read(x).scores

    def read(self, x, y=None):
        self.seen = x
        features = torch.cat([x, 2 * x], 1).flatten(1)
        return Judged(features.sum(1), features)


def test_a_class_is_a_constant_channel_and_a_coordinate_of_a_point():
    inner = Recorder(4, 8, 8)
    critic = LabelledCritic(inner, 3)
    assert (critic.shape, critic.classes, critic.pack) == ((1, 8, 8), 3, 1) and isinstance(critic, Conditional)
    critic(X, Y)
    assert torch.equal(inner.seen[:, :1], X)
    assert torch.equal(inner.seen[:, 1:], one_hot(Y, 3).float()[:, :, None, None].expand(4, 3, 8, 8))
    inner = Recorder(5)
    LabelledCritic(inner, 3)(torch.tensor([[7.0, 8.0]]), torch.tensor([1]))
    assert inner.seen.tolist() == [[7, 8, 0, 1, 0]]


def test_each_example_of_a_pack_has_the_channels_of_its_own_class():
    inner = Recorder(8, 8, 8)
    critic = LabelledCritic(Packed(inner, 2), 3)
    assert (critic.shape, critic.pack) == ((1, 8, 8), 2) and critic(X, Y).shape == (2,)
    assert inner.seen[:, [1, 2, 3, 5, 6, 7], 0, 0].tolist() == [[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 1]]
    assert torch.equal(inner.seen[:, [0, 4]].flatten(0, 1), X[:, 0])


def test_a_class_is_a_part_of_the_latent():
    generator = mlp.Generator((2,), 5, [4], "ReLU", False, init)
    labelled = LabelledGenerator(generator, 3)
    assert (labelled.latent_dim, labelled.shape, labelled.classes) == (2, (2,), 3)
    z = torch.randn(4, 2)
    assert torch.equal(labelled(z, Y), generator(torch.cat([z, one_hot(Y, 3).float()], 1)))


def test_a_labelled_generator_starts_where_the_plain_one_does():
    plain = maxout.Generator((1, 8, 8), 5, [4], init)
    labelled = LabelledGenerator(plain, 3)
    assert isinstance(labelled, StartsAtMarginals)
    labelled.start_at(torch.full((1, 8, 8), 0.25))
    assert torch.allclose(plain.output.bias, torch.tensor(0.25).logit())
    assert not isinstance(LabelledGenerator(dcgan.Generator((1, 8, 8), 5, [4], init), 3), StartsAtMarginals)


def test_the_projection_is_equation_3():
    critic = mlp.Critic((1, 8, 8), [6], "LeakyReLU", init)
    projection = ProjectionCritic(critic, 3)
    h, v = critic.features(X).detach(), projection.embedding.weight.detach()
    w, b = critic.output.weight.detach(), critic.output.bias.detach()
    expected = [float(w @ h[i] + b + v[y] @ h[i]) for i, y in enumerate(Y)]
    assert projection(X, Y).tolist() == pytest.approx(expected, rel=1e-5)
    assert torch.equal(projection.read(X, Y).features, h)


def test_spectral_norm_reaches_the_embedding_as_in_the_paper():
    projection = ProjectionCritic(mlp.Critic((1, 8, 8), [6], "LeakyReLU", init), 3)
    with torch.no_grad():
        projection.embedding.weight.mul_(50)
    SpectralNorm(n_power_iterations=1).prepare(projection)
    for _ in range(50):
        projection(X, Y)
    assert float(torch.linalg.matrix_norm(projection.embedding.weight.detach(), ord=2)) == pytest.approx(1, abs=1e-3)


def test_conditional_normalisation_in_closed_form():
    layer = ConditionalBatchNorm(nn.BatchNorm2d(2, affine=False), 2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(6).reshape(3, 2)), layer.bias.copy_(10 + torch.arange(6).reshape(3, 2))
    x = torch.randn(4, 2, 5, 5)
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
    plain = (x - mean) / (var + 1e-5).sqrt()
    expected = torch.stack(
        [plain[i] * layer.weight[y, :, None, None] + layer.bias[y, :, None, None] for i, y in enumerate(Y)]
    )
    torch.testing.assert_close(layer(x, Y), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", [dcgan, mlp])
def test_with_one_class_a_conditional_generator_is_the_plain_one(network):
    """Of all classes alike, only the shape of the scales and shifts differs."""
    widths, extra = {"dcgan": (([8, 4],), ()), "mlp": (([8, 4], "ReLU"), (True,))}[network.NAME]
    torch.manual_seed(0)
    plain = network.Generator((1, 8, 8), 5, *widths, *extra, init)
    conditional = network.ConditionalGenerator((1, 8, 8), 5, *widths, 1, init)
    own, theirs = conditional.state_dict(), plain.state_dict()
    names = {key: key.replace(".norm.", ".") for key in own}
    assert set(names.values()) == set(theirs)
    conditional.load_state_dict({key: theirs[name].reshape(own[key].shape) for key, name in names.items()})
    z = torch.randn(4, 5)
    torch.testing.assert_close(conditional(z, torch.zeros(4, dtype=torch.int64)), plain(z))


def test_the_range_of_pixels_and_recognition_pass_classes_on():
    inner = ProjectionCritic(mlp.Critic((1, 8, 8), [6], "LeakyReLU", init), 3)
    ranged, recognising = UnitRange(inner), Recognising(inner, 4)
    assert ranged.classes == recognising.classes == 3 and not isinstance(Recognising(inner.critic, 4), Conditional)
    assert torch.equal(ranged(X, Y), inner((X + 1) / 2, Y)) and torch.equal(recognising(X, Y), inner(X, Y))
    said = recognising.read(X, Y)
    assert torch.equal(said.recognised, recognising.recogniser(inner.critic.features(X)))
    features = ProjectionCritic(UnitRange(inner.critic), 3).read(X, Y).features
    assert torch.equal(features, inner.critic.features((X + 1) / 2))


@pytest.mark.parametrize("pack", [1, 2])
def test_classes_stay_one_hot_for_a_critic_of_another_range(pack):
    inner = Recorder(4 * pack, 8, 8)
    LabelledCritic(Packed(UnitRange(inner), pack), 3)(X, Y)
    seen = inner.seen.reshape(4, 4, 8, 8)
    assert torch.equal(seen[:, 1:, 0, 0], one_hot(Y, 3).float()) and torch.equal(seen[:, :1], (X + 1) / 2)


class Bare(nn.Module):
    shape = (1, 8, 8)

    def forward(self, x):
        return x.flatten(1).sum(1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LabelledCritic(Recorder(3, 8, 8), 3), r"`labels` is 3, and the critic takes 3 channels.*critic_shape"),
        (lambda: LabelledCritic(Recorder(3, 8, 8), 0), "`labels` is 0.*from 1 to 2"),
        (
            lambda: LabelledGenerator(mlp.Generator((2,), 3, [4], "ReLU", False, init), 3),
            "takes 3 latents.*generator_latents",
        ),
        (lambda: ProjectionCritic(Bare(), 3), "Bare, which shows no features.*FeatureCritic"),
        (lambda: ProjectionCritic(Recorder(1, 8, 8), 0), "`classes` is 0"),
        (lambda: ProjectionCritic(Packed(Recorder(2, 8, 8), 2), 3), "packs 2 examples.*LabelledCritic around Packed"),
        (lambda: Recognising(Bare(), 3), "shows no features"),
        (lambda: Recognising(Recorder(1, 8, 8), 0), "`outputs` is 0"),
        (lambda: Packed(LabelledCritic(Recorder(6, 8, 8), 2), 2), "LabelledCritic, which takes one class.*pack inside"),
        (lambda: dcgan.ConditionalGenerator((1, 8, 8), 5, [4], 0, init), "`classes` is 0"),
    ],
)
def test_refuses_with_a_fix(make, said):
    with pytest.raises(ValueError, match=said) as error:
        make()
    assert "Fix: " in str(error.value)
