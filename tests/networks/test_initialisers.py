"""Weights at the start have the distribution that is stated; scores and images are of sane size."""

from functools import partial
from math import log, sqrt

import pytest
import torch
from scipy import stats
from torch import nn

from ganvas.config import build, compose
from ganvas.networks import dcgan, infogan, maxout, mlp, resnet
from ganvas.networks.init import fan_in_uniform_, glorot_uniform_, initialise, normal_, uniform_

INITS = {
    "uniform": (partial(uniform_, bound=0.3), stats.uniform(-0.3, 0.6)),
    "normal": (partial(normal_, std=0.02), stats.norm(0, 0.02)),
    "fan in": (fan_in_uniform_, stats.uniform(-sqrt(1 / 160), 2 * sqrt(1 / 160))),
    "glorot": (partial(glorot_uniform_, gain=sqrt(2)), stats.uniform(-sqrt(12 / 360), 2 * sqrt(12 / 360))),
}


@pytest.mark.parametrize("name", INITS)
def test_distribution(name):
    torch.manual_seed(0)
    init, expected = INITS[name]
    layer = nn.Linear(160, 200)
    initialise(layer, init)
    assert stats.kstest(layer.weight.detach().flatten().numpy(), expected.cdf).pvalue > 0.01
    assert layer.bias.abs().max() == 0


def test_every_map_of_a_network_is_initialised():
    torch.manual_seed(0)
    for net in (
        dcgan.Generator((1, 28, 28), 64, [64, 32], INITS["normal"][0]),
        dcgan.Critic((1, 28, 28), [32, 64], True, INITS["normal"][0]),
        infogan.Critic((1, 28, 28), False, INITS["normal"][0]),
        maxout.Critic((1, 28, 28), [200], 5, [0.0, 0.0], INITS["normal"][0]),
        mlp.Critic((1, 28, 28), [200], "ReLU", INITS["normal"][0]),
    ):
        for key, weight in net.named_parameters():
            if weight.ndim > 1:
                assert weight.std().item() == pytest.approx(0.02, rel=0.2), key
            elif key.endswith("bias"):
                assert weight.abs().max() == 0, key


def test_dcgan_scales_of_the_normalisation_scatter_about_one():
    torch.manual_seed(0)
    generator = dcgan.Generator((1, 28, 28), 8, [512, 256], INITS["normal"][0])
    gammas = torch.cat([layer.weight for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)])
    assert gammas.mean().item() == pytest.approx(1, abs=0.005)
    assert gammas.std().item() == pytest.approx(0.02, rel=0.15)


def test_resnet_gains():
    torch.manual_seed(0)
    critic = resnet.Critic((3, 32, 32), channels=64)
    wide = critic.body[1].branch[1].weight
    assert wide.std().item() == pytest.approx(sqrt(2) * sqrt(2 / (2 * 64 * 9)), rel=0.05)
    shortcut = critic.body[1].shortcut[1].weight
    assert shortcut.std().item() == pytest.approx(sqrt(2 / (2 * 64)), rel=0.05)


def test_resnet_starts_with_sane_scale():
    torch.manual_seed(0)
    with torch.no_grad():
        images = resnet.Generator((3, 32, 32), 128, channels=128)(torch.randn(16, 128))
        scores = resnet.Critic((3, 32, 32), channels=128)(torch.rand(16, 3, 32, 32) * 2 - 1)
    assert 0.2 < images.std() < 0.95
    assert scores.isfinite().all() and scores.abs().max() < 20


def test_the_dense_generator_of_wgan_mlp_starts_with_a_picture_a_latent():
    generator = compose("train", ["network=wgan_mlp", "prior.dim=100"]).network.generator
    torch.manual_seed(0)
    with torch.no_grad():
        images = build(generator)(torch.randn(256, 100))
    # Over the latents, before the tanh: U(-1/sqrt fan-in, 1/sqrt fan-in) in five layers gave .016, and collapse.
    assert 0.5 < images.atanh().std(0).mean() < 2


def test_dcgan_starts_with_sane_scale():
    torch.manual_seed(0)
    with torch.no_grad():
        images = dcgan.Generator((1, 28, 28), 64, [64, 32], INITS["normal"][0])(torch.randn(32, 64))
        scores = dcgan.Critic((1, 28, 28), [32, 64], False, INITS["normal"][0])(images)
    assert 0.02 < images.std() < 0.95
    assert scores.isfinite().all() and scores.abs().max() < 5


@pytest.mark.parametrize(("kind", "clip"), [("decoder", 1e-3), ("generator", 1e-7)])
def test_an_output_bias_starts_at_the_mean_training_pixel(kind, clip):
    shape, tiny = (1, 4, 4), partial(normal_, std=1e-9)
    network = {
        "decoder": lambda: mlp.Decoder(shape, 3, [5], "Tanh", tiny),
        "generator": lambda: maxout.Generator(shape, 3, [5], tiny),
    }[kind]()
    mean = torch.linspace(0, 1, 16).view(shape)
    network.start_at(mean)
    out = network(torch.randn(2, 3)).detach()
    found = torch.sigmoid(out) if kind == "decoder" else (out + 1) / 2
    torch.testing.assert_close(found, mean.clamp(clip, 1 - clip).expand(2, *shape), atol=1e-5, rtol=0)
    ends = [log(clip / (1 - clip)), log((1 - clip) / clip)]
    assert network.output.bias.detach()[[0, -1]].tolist() == pytest.approx(ends)
