"""Maxout, the Gaussian head, the squashing of the outputs and dropout, each against an explicit computation."""

from functools import partial

import numpy as np
import torch
from scipy import stats

from ganvas.latents.posteriors import diagonal_normal
from ganvas.networks import maxout, mlp, resnet
from ganvas.networks.infogan import Generator as InfoGANGenerator
from ganvas.networks.init import glorot_uniform_, normal_

GLOROT = partial(glorot_uniform_, gain=1.0)


def test_maxout_is_the_maximum_over_pieces():
    torch.manual_seed(0)
    layer = maxout.Maxout(inputs=4, units=3, pieces=5).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    weight, bias = layer.affine.weight.detach().numpy(), layer.affine.bias.detach().numpy()
    expected = np.array(
        [[max(row @ weight[5 * i + j] + bias[5 * i + j] for j in range(5)) for i in range(3)] for row in x.numpy()]
    )
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-12)


def test_maxout_gradient():
    torch.manual_seed(0)
    layer = maxout.Maxout(inputs=3, units=2, pieces=4).double()
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_dropout_of_the_maxout_critic_sits_before_each_layer():
    critic = maxout.Critic((1, 4, 4), [6, 5], pieces=3, dropout=[0.2, 0.5, 0.4], init=GLOROT)
    assert [layer.p for layer in critic.body if isinstance(layer, torch.nn.Dropout)] == [0.2, 0.5, 0.4]
    assert [type(layer).__name__ for layer in critic.body] == ["Dropout", "Maxout", "Dropout", "Maxout", "Dropout"]


def test_gaussian_head_is_the_normal_of_scipy():
    torch.manual_seed(0)
    parameters = torch.randn(4, 6, dtype=torch.float64)
    posterior = diagonal_normal(parameters)
    z = torch.randn(4, 3, dtype=torch.float64)
    mean, log_variance = parameters.numpy()[:, :3], parameters.numpy()[:, 3:]
    expected = stats.norm.logpdf(z.numpy(), mean, np.sqrt(np.exp(log_variance))).sum(1)
    np.testing.assert_allclose(posterior.log_prob(z).numpy(), expected, rtol=1e-12)
    assert diagonal_normal(parameters.bfloat16()).mean.dtype == torch.float32


def test_sigmoid_outputs_are_mapped_to_the_interval():
    for generator in (
        maxout.Generator((1, 4, 4), 3, [5], init=partial(normal_, std=1.0)),
        InfoGANGenerator((1, 8, 8), 3, init=partial(normal_, std=0.1)),
    ):
        generator.eval()
        z = torch.randn(7, 3)
        body = generator.body(z)
        logits = generator.output(body).unflatten(1, (1, 4, 4)) if hasattr(generator, "output") else body
        torch.testing.assert_close(generator(z), 2 * torch.sigmoid(logits) - 1)


def test_mlp_generator_is_unbounded_on_points_only():
    wide = partial(normal_, std=5.0)
    assert mlp.Generator((2,), 3, [8], "ReLU", False, wide)(torch.randn(50, 3)).abs().max() > 1
    assert mlp.Generator((1, 2, 2), 3, [8], "ReLU", False, wide)(torch.randn(50, 3)).abs().max() <= 1


def test_mlp_is_the_composition_of_its_maps():
    torch.manual_seed(0)
    critic = mlp.Critic((2, 2, 2), [5, 4], "Tanh", GLOROT)
    x = torch.randn(3, 2, 2, 2)
    first, second = critic.body[0], critic.body[2]
    hidden = torch.tanh(torch.tanh(x.reshape(3, 8) @ first.weight.T + first.bias) @ second.weight.T + second.bias)
    torch.testing.assert_close(critic(x), hidden @ critic.output.weight[0] + critic.output.bias)


def test_resnet_critic_against_a_functional_copy():
    from torch.nn import functional as F

    torch.manual_seed(0)
    critic = resnet.Critic((3, 32, 32), channels=4).double()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    weights = [parameter.detach() for parameter in critic.parameters()]
    take = iter(weights)

    def conv(h, padding):
        return F.conv2d(h, next(take), next(take), padding=padding)

    h = F.avg_pool2d(conv(F.relu(conv(x, 1)), 1), 2)
    h = h + conv(F.avg_pool2d(x, 2), 0)
    branch = F.avg_pool2d(conv(F.relu(conv(F.relu(h), 1)), 1), 2)
    h = branch + F.avg_pool2d(conv(h, 0), 2)
    for _ in range(2):
        h = h + conv(F.relu(conv(F.relu(h), 1)), 1)
    expected = F.linear(F.relu(h).mean((2, 3)), next(take), next(take)).squeeze(1)
    torch.testing.assert_close(critic(x), expected)
