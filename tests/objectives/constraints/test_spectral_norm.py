"""Spectral norm: the largest singular value against torch.linalg, idempotence, what it refuses."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ganvas.objectives import SpectralNorm


def critic():
    return nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 6), nn.ReLU(), nn.Linear(6, 1))


def layers(network):
    return [m for m in network.modules() if hasattr(m, "parametrizations")]


def test_largest_singular_value_is_one():
    torch.manual_seed(0)
    network = critic()
    SpectralNorm(1).prepare(network)
    for _ in range(100):
        network(torch.randn(1, 2, 4, 4))
    network.eval()
    assert len(layers(network)) == 3
    for layer in layers(network):
        weight, original = layer.weight.detach(), layer.parametrizations.weight.original.detach()
        sigma = torch.linalg.svdvals(original.flatten(1))[0]
        torch.testing.assert_close(weight, original / sigma, rtol=1e-3, atol=1e-5)
        assert torch.linalg.svdvals(weight.flatten(1))[0].item() == pytest.approx(1, rel=1e-3)


def test_twice_is_once():
    network = critic()
    SpectralNorm(1).prepare(network)
    keys = set(network.state_dict())
    SpectralNorm(1).prepare(network)
    assert set(network.state_dict()) == keys


def test_layers_normalised_by_their_network_are_left_alone():
    network = nn.Sequential(parametrizations.spectral_norm(nn.Linear(20, 30), n_power_iterations=7), nn.Linear(30, 1))
    before = {key: value.clone() for key, value in network[0].state_dict().items()}
    SpectralNorm(1).prepare(network)
    assert all(torch.equal(value, before[key]) for key, value in network[0].state_dict().items())
    assert [layer.parametrizations.weight[0].n_power_iterations for layer in layers(network)] == [7, 1]


def test_a_layer_that_starts_at_0_is_refused():
    network = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    nn.init.zeros_(network[1].weight)
    with pytest.raises(
        ValueError, match="got 'Sequential', expected a network without layers that start at 0.*constraint=r1_r2"
    ):
        SpectralNorm(1).prepare(network)


def test_weight_norm_does_not_pass_for_it():
    network = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)))
    SpectralNorm(10).prepare(network)
    for _ in range(20):
        network(torch.randn(1, 3))
    assert torch.linalg.svdvals(network[0].weight.detach())[0].item() == pytest.approx(1, rel=1e-3)


def test_two_forward_passes_and_a_backward():
    network = critic()
    SpectralNorm(1).prepare(network)
    (network(torch.randn(3, 2, 4, 4)).mean() - network(torch.randn(3, 2, 4, 4)).mean()).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="critic: got 'Tanh', expected a network with linear"):
        SpectralNorm(1).prepare(nn.Tanh())


def test_no_iterations_are_refused():
    with pytest.raises(ValueError, match="n_power_iterations: got 0"):
        SpectralNorm(0)
