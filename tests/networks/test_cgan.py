"""The first conditional GAN's networks, against the paper's sizes and what a class must do."""

from functools import partial

import torch

from ganvas.networks.cgan import Critic, Generator
from ganvas.networks.init import uniform_

INIT = partial(uniform_, bound=0.05)


def _networks():
    torch.manual_seed(0)
    generator = Generator((1, 28, 28), 100, 10, [200, 1000, 1200], 0.5, INIT)
    return generator, Critic((1, 28, 28), 10, [240, 50, 240], [5, 5, 4], 0.5, INIT)


def _size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_have_the_papers_sizes():
    generator, critic = _networks()
    assert _size(generator) == 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    assert _size(critic) == 785 * 240 * 5 + 11 * 50 * 5 + 291 * 240 * 4 + 241


def test_the_class_decides_and_dropout_acts_in_training_only():
    generator, critic = _networks()
    z, y = torch.randn(4, 100), torch.arange(4)
    assert not torch.equal(generator(z, y), generator(z, y)), "no dropout in training"
    x = generator.eval()(z, y)
    assert torch.equal(generator(z, y), x) and not torch.allclose(generator(z, 9 - y), x)
    assert not torch.equal(critic(x, y), critic(x, y)), "no dropout in training"
    assert torch.equal(critic.eval()(x, y), critic(x, y)) and not torch.equal(critic(x, 9 - y), critic(x, y))


def test_the_critic_reads_pixels_in_0_1():
    _, critic = _networks()
    seen = []
    critic.image.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    critic(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(-1, 1, 28, 28), torch.zeros(2, dtype=torch.int64))
    assert torch.equal(seen[0], torch.tensor([[0.0], [1.0]]).expand(-1, 784))
