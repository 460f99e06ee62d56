"""Orthogonal regularisation, of critic and generator, against closed forms."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ganvas.objectives import Orthogonal, OrthogonalGenerator, SpectralNorm
from ganvas.objectives.orthogonality import overlap


def linear(rows):
    layer = nn.Linear(len(rows[0]), len(rows))
    layer.weight.data = torch.as_tensor(rows)
    return layer


def test_an_orthogonal_matrix_has_no_overlap_whatever_the_norms_of_its_rows():
    matrix = torch.linalg.qr(torch.randn(6, 6)).Q
    assert overlap(linear(matrix)).item() == pytest.approx(0, abs=1e-10)
    assert overlap(linear(torch.linspace(0.5, 3, 6)[:, None] * matrix)).item() == pytest.approx(0, abs=1e-10)
    assert overlap(linear(matrix + 0.1)) > 0.1


def test_two_rows_by_hand():
    # The inner product is 3 * 1 + 4 * 2 = 11, and stands twice off the diagonal.
    assert overlap(linear([[3.0, 4.0], [1.0, 2.0]])).item() == 2 * 11**2


def test_weight_and_layers_count():
    critic = nn.Sequential(linear([[3.0, 4.0], [1.0, 2.0]]), nn.ReLU(), linear([[1.0, 1.0], [1.0, 0.0]]))
    x = torch.zeros(2, 2)
    assert Orthogonal(0.5, every=2).penalty(critic, x, x).item() == 0.5 * 2 * (2 * 11**2 + 2)
    assert OrthogonalGenerator(0.5, every=2).penalty(critic, x, None, 0).item() == 0.5 * 2 * (2 * 11**2 + 2)


@pytest.mark.parametrize("make", [lambda: nn.Conv2d(3, 2, 2), lambda: nn.ConvTranspose2d(3, 2, 2)])
def test_filters_of_a_convolution_are_its_outputs(make):
    layer = make()
    outputs = layer.weight if isinstance(layer, nn.Conv2d) else layer.weight.transpose(0, 1)
    a, b = outputs[0].flatten(), outputs[1].flatten()
    torch.testing.assert_close(overlap(layer), 2 * (a @ b).square())


def test_gradient_is_that_of_the_formula():
    layer = nn.Linear(4, 3).double()
    overlap(layer).backward()
    w = layer.weight.detach()
    gram = w @ w.T
    torch.testing.assert_close(layer.weight.grad, 4 * (gram - gram.diagonal().diag()) @ w)


def test_with_spectral_norm_the_raw_weight_counts_and_its_estimate_stays():
    layer = nn.Linear(3, 3)
    plain = overlap(layer).item()
    parametrizations.spectral_norm(layer)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert overlap(layer).item() == pytest.approx(plain)
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in before.items())
    SpectralNorm(1).prepare(layer)
    Orthogonal(1.0, every=1).prepare(layer)


def test_a_network_without_filters_is_refused():
    with pytest.raises(ValueError, match="critic: got 'Flatten', expected a network with linear or conv"):
        Orthogonal(1.0, every=1).prepare(nn.Flatten())
    with pytest.raises(ValueError, match="generator: got 'Flatten'"):
        OrthogonalGenerator(1.0, every=1).prepare(nn.Flatten())
