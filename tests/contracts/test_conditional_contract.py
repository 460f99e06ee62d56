"""The wrappers that make plain networks conditional, around every kind of them, and the conditional generators."""

from functools import partial

import pytest

from ganvas.networks import (
    LabelledCritic,
    LabelledDecoder,
    LabelledEncoder,
    LabelledGenerator,
    Packed,
    ProjectionCritic,
    Recognising,
    UnitRange,
    conv_vae,
    dcgan,
    infogan,
    maxout,
    mlp,
    resnet,
)
from ganvas.networks.init import normal_
from ganvas.testing import (
    ConditionalCriticContract,
    ConditionalDecoderContract,
    ConditionalEncoderContract,
    ConditionalGeneratorContract,
    CriticContract,
)

K, D = 3, 5
init = partial(normal_, std=0.1)
GENERATORS = {
    "mlp": lambda shape, d: mlp.Generator(shape, d, [16, 16], "ReLU", False, init),
    "dcgan": lambda shape, d: dcgan.Generator(shape, d, [8, 4], init),
    "resnet": lambda shape, d: resnet.Generator(shape, d, 4),
    "infogan": lambda shape, d: infogan.Generator(shape, d, init),
    "maxout": lambda shape, d: maxout.Generator(shape, d, [16], init),
}
CONDITIONAL = {
    "mlp": lambda shape: mlp.ConditionalGenerator(shape, D, [16, 16], "ReLU", K, init),
    "dcgan": lambda shape: dcgan.ConditionalGenerator(shape, D, [8, 4], K, init),
    "resnet": lambda shape: resnet.ConditionalGenerator(shape, D, 4, K),
}
CRITICS = {
    "mlp": lambda shape: mlp.Critic(shape, [16, 16], "LeakyReLU", init),
    "dcgan": lambda shape: dcgan.Critic(shape, [4, 8], False, init),
    "resnet": lambda shape: resnet.Critic(shape, 4),
    "infogan": lambda shape: infogan.Critic(shape, False, init),
    "unit range": lambda shape: UnitRange(maxout.Critic(shape, [16], 2, [0.0, 0.0], init)),
}
ENCODERS = {
    "mlp": lambda shape: mlp.Encoder(shape, D, [16], "ReLU", init),
    "conv": lambda shape: conv_vae.Encoder(shape, D, [4, 8], 8, "SiLU", init),
    "unit range": lambda shape: UnitRange(mlp.Encoder(shape, D, [16], "Tanh", init)),
}
DECODERS = {
    "mlp": lambda shape: mlp.Decoder(shape, D + K, [16], "ReLU", init),
    "conv": lambda shape: conv_vae.Decoder(shape, D + K, [8, 4], 8, "SiLU", init),
}
POINTS = (2,)


def image(name, channels):
    """Shape of the smallest images that a network serves."""
    return (channels, *((16, 16) if name == "resnet" else (8, 8)))


def labelled(critic, shape):
    return LabelledCritic(critic((shape[0] + K, *shape[1:])), K)


def projected(critic, shape):
    return ProjectionCritic(critic(shape), K)


def packed_inside(shape):
    return LabelledCritic(Packed(CRITICS["dcgan"]((shape[0] + K, *shape[1:])), 1), K)


CASES = {
    **{f"labelled-{name}": partial(labelled, critic, image(name, 3)) for name, critic in CRITICS.items()},
    "labelled-points": partial(labelled, CRITICS["mlp"], POINTS),
    "labelled-pack": partial(packed_inside, image("dcgan", 1)),
    **{f"projection-{name}": partial(projected, critic, image(name, 1)) for name, critic in CRITICS.items()},
    "projection-points": lambda: ProjectionCritic(CRITICS["mlp"](POINTS), K),
    "unit-range-projection": lambda: UnitRange(ProjectionCritic(CRITICS["mlp"]((1, 8, 8)), K)),
}


class TestLabelledGenerator(ConditionalGeneratorContract):
    @pytest.fixture(params=[*((name, (3, 8, 8)) for name in GENERATORS), ("mlp", POINTS)], ids=str)
    def build(self, request):
        name, shape = request.param
        return lambda: LabelledGenerator(GENERATORS[name](shape, D + K), K)


class TestLabelledEncoder(ConditionalEncoderContract):
    @pytest.fixture(params=[*((name, (1, 8, 8)) for name in ENCODERS), ("mlp", POINTS)], ids=str)
    def build(self, request):
        name, (channels, *size) = request.param
        return lambda: LabelledEncoder(ENCODERS[name]((channels + K, *size)), K)


class TestLabelledDecoder(ConditionalDecoderContract):
    @pytest.fixture(params=[*((name, (1, 8, 8)) for name in DECODERS), ("mlp", POINTS)], ids=str)
    def build(self, request):
        name, shape = request.param
        return lambda: LabelledDecoder(DECODERS[name](shape), K)


class TestConditionalGenerator(ConditionalGeneratorContract):
    @pytest.fixture(params=[*((name, (3, 8, 8)) for name in CONDITIONAL), ("mlp", POINTS)], ids=str)
    def build(self, request):
        name, shape = request.param
        return lambda: CONDITIONAL[name](shape)


class TestConditionalCritic(ConditionalCriticContract):
    @pytest.fixture(params=CASES)
    def build(self, request):
        return CASES[request.param]


class TestRecognising(CriticContract):
    @pytest.fixture(params=CRITICS)
    def build(self, request):
        return lambda: Recognising(CRITICS[request.param](image(request.param, 1)), 2)

    def test_serves(self, build):
        """The further outputs have a gradient too, which the scores do not give them."""
        net = build()
        said = net.read(self.examples(net, 3, seed=1))
        (said.scores.sum() + said.recognised.square().sum()).backward()
        assert said.recognised.shape == (3, 2)
        assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())
