"""Attention, resampling, modulation, mapping, minibatch standard deviation: each against an explicit computation."""

import numpy as np
import pytest
import torch
from scipy.signal import upfirdn
from torch.nn import functional as F

from ganvas.networks import equalised
from ganvas.networks.attention import SelfAttention
from ganvas.networks.mapping import Mapping
from ganvas.networks.minibatch_std import MinibatchStd
from ganvas.networks.modulation import Grid, ModulatedConvolution, StyledLayer, ToImage
from ganvas.networks.resampling import Enlarge, Filter, shrink

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def drawn(layer, std=1.0):
    """The layer in double precision with drawn weights, none of them 0."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, std)
    return layer.double()


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("channels", [8, 32])
def test_attention_is_that_of_torch(channels):
    torch.manual_seed(0)
    layer = drawn(SelfAttention(channels))
    x = torch.randn(3, channels, 6, 4, dtype=torch.float64)
    query, key, value = (
        places.flatten(2).mT
        for places in (layer.query(x), F.max_pool2d(layer.key(x), 2), F.max_pool2d(layer.value(x), 2))
    )
    attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
    expected = x + layer.gamma * layer.back(attended.mT.unflatten(2, (6, 4)))
    torch.testing.assert_close(layer(x), expected)


def test_attention_starts_as_the_identity():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(SelfAttention(16)(x), x)


@pytest.mark.parametrize(
    "layer, up, down, first, size",
    [
        (Enlarge(), 2, 1, 1, (12, 16)),
        (shrink(), 1, 2, 2, (3, 4)),
        (Filter(stride=1, padding=2), 1, 1, 1, (7, 9)),
    ],
    ids=["enlarge", "shrink", "blur"],
)
def test_resampling_is_that_of_scipy(layer, up, down, first, size):
    """Rows and columns are filtered at full length; of the result, the layer keeps every ``down``-th from ``first``."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    y = layer.double()(x).numpy()
    full = upfirdn(TAPS * up, upfirdn(TAPS * up, x.numpy(), up=up, axis=2), up=up, axis=3)
    rows, columns = size
    assert y.shape[2:] == size
    np.testing.assert_allclose(y, full[:, :, first::down, first::down][:, :, :rows, :columns], atol=1e-12)


def test_resampling_keeps_a_constant():
    x = torch.ones(1, 2, 12, 12)
    torch.testing.assert_close(Filter(stride=1, padding=0, gain=4.0)(x), torch.full((1, 2, 9, 9), 4.0))
    for layer, inner in ((Enlarge(), slice(2, -2)), (shrink(), slice(1, -1))):
        torch.testing.assert_close(layer(x)[..., inner, inner], torch.ones(()).expand_as(layer(x)[..., inner, inner]))


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("enlarge", [True, False])
def test_modulated_convolution_is_a_convolution_of_each_example(demodulate, enlarge):
    torch.manual_seed(0)
    layer = drawn(ModulatedConvolution(4, 5, 3, style_dim=6, demodulate=demodulate, enlarge=enlarge))
    x, w = torch.randn(3, 4, 6, 6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    for one, style, y in zip(x, layer.affine(w), layer(x, w), strict=True):
        weight = torch.zeros_like(layer.weight)
        for j in range(5):
            for i in range(4):
                weight[j, i] = style[i] * layer.weight[j, i] / 6  # 1 / sqrt(4 * 9)
            if demodulate:
                weight[j] /= (weight[j].square().sum() + 1e-8).sqrt()
        if enlarge:  # zeros between the pixels, a convolution in the sense of mathematics, and the filter
            spread = torch.zeros(1, 4, 13, 13, dtype=torch.float64)
            spread[0, :, 1:12:2, 1:12:2] = one
            full = F.conv2d(F.pad(spread, (1, 1, 1, 1)), weight.flip(2, 3))
            expected = Filter(stride=1, padding=1, gain=4.0).double()(full)[0]
        else:
            expected = F.conv2d(one[None], weight, padding=1)[0]
        torch.testing.assert_close(y, expected)


def test_demodulated_outputs_have_the_scale_of_the_inputs():
    torch.manual_seed(0)
    layer = ModulatedConvolution(64, 64, 3, style_dim=4)
    with torch.no_grad():
        y = layer(torch.randn(8, 64, 16, 16), 100 * torch.randn(8, 4))
    assert y[..., 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


def test_noise_is_new_in_training_and_one_picture_in_evaluation():
    torch.manual_seed(0)
    layer = StyledLayer(3, 4, 5, side=6, enlarge=False)
    x, w = torch.randn(1, 3, 6, 6).expand(2, -1, -1, -1), torch.randn(1, 5).expand(2, -1)
    assert torch.equal(*layer(x, w)), "noise without strength"
    torch.nn.init.ones_(layer.strength)
    first, second = layer(x, w)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(*layer.eval()(x, w))
    assert "noise" in layer.state_dict()


def test_minibatch_std_by_hand():
    torch.manual_seed(0)
    x = torch.randn(6, 3, 2, 2, dtype=torch.float64)
    y = MinibatchStd(group=2)(x)
    assert torch.equal(y[:, :3], x)
    for k in range(3):  # three groups: 0 and 3, 1 and 4, 2 and 5
        group = x[[k, k + 3]]
        told = (group.var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(y[[k, k + 3], 3], told.expand(2, 2, 2))


def test_minibatch_std_of_equal_examples_has_a_gradient():
    x = torch.ones(4, 3, 2, 2, requires_grad=True)
    MinibatchStd(group=4)(x)[:, 3].sum().backward()
    assert x.grad.isfinite().all()


def test_minibatch_std_of_a_batch_that_does_not_divide():
    x = torch.randn(5, 2, 2, 2, dtype=torch.float64)
    y = MinibatchStd(group=4)(x)  # two groups: 0, 2, 4 and 1, 3
    for members in ([0, 2, 4], [1, 3]):
        told = (x[members].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(y[members, 2], told.expand(len(members), 2, 2))


def test_minibatch_std_says_whether_it_couples_examples():
    assert MinibatchStd(4).couples and not MinibatchStd(1).couples
    with pytest.raises(ValueError, match="`group` is 0; expected at least 1. Fix"):
        MinibatchStd(0)


def test_equalised_layers_move_at_one_speed():
    """Weights start at N(0, 1) and are scaled when they are used, so that outputs have the scale of inputs."""
    torch.manual_seed(0)
    for layer, x in (
        (equalised.linear(400, 300, rate=0.01), torch.randn(200, 400)),
        (equalised.convolution(40, 30, 3), torch.randn(20, 40, 5, 5)),
    ):
        original = layer.parametrizations.weight.original
        rate = 0.01 if isinstance(layer, torch.nn.Linear) else 1.0
        assert original.std().item() * rate == pytest.approx(1, rel=0.02)
        assert layer(x).std().item() == pytest.approx(1, rel=0.05)
    slow = equalised.linear(3, 2, bias=0.5, rate=0.01)
    assert slow.bias.tolist() == pytest.approx([0.5, 0.5])
    assert slow.parametrizations.bias.original.tolist() == pytest.approx([50, 50])


def test_rectified_keeps_the_second_moment():
    assert equalised.rectified(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([-0.2 * 2**0.5, 2 * 2**0.5])
    assert not equalised.convolution(3, 4, 3).bias.any()


def test_a_mapping_by_hand():
    mapping, z, y = drawn(Mapping(4, 3, 5, 2)), numbers(3, 4), torch.tensor([2, 0, 2])

    def unit(x):
        return x / (x.square().sum(1, keepdim=True) / x.shape[1] + 1e-8).sqrt()

    label = mapping.embedding.weight.T[y] + mapping.embedding.bias
    h = torch.cat([unit(z), unit(label)], 1)
    for layer in (mapping.body[0], mapping.body[2]):
        h = 2**0.5 * leaky(F.linear(h, layer.weight, layer.bias))
    torch.testing.assert_close(mapping(z, y), h)
    assert mapping(torch.zeros_like(z), y).isfinite().all()


def test_a_mapping_learns_a_hundred_times_more_slowly():
    layer = Mapping(100, 0, 200, 1).body[0]
    assert layer.parametrizations.weight.original.std().item() == pytest.approx(100, rel=0.02)
    assert layer.parametrizations.bias[0].factor == pytest.approx(0.01)


def test_a_styled_layer_by_hand():
    layer = drawn(StyledLayer(2, 3, 5, side=6, enlarge=False)).eval()
    x, w = numbers(3, 2, 6, 6), numbers(3, 5)
    expected = layer.convolution(x, w) + layer.strength * layer.noise + layer.bias
    torch.testing.assert_close(layer(x, w), 2**0.5 * leaky(expected))
    fresh = StyledLayer(2, 3, 5, side=64, enlarge=False)
    assert fresh.noise.std().item() == pytest.approx(1, rel=0.05) and (fresh.convolution.affine.bias == 1).all()


def test_noise_is_the_same_for_all_channels_of_an_image():
    layer = StyledLayer(2, 3, 5, side=6, enlarge=False)
    torch.nn.init.zeros_(layer.convolution.weight)  # an output of 0 stays 0 when it is demodulated
    torch.nn.init.ones_(layer.strength)
    y = layer(torch.randn(2, 2, 6, 6), torch.randn(2, 5))
    assert y.isfinite().all()
    assert torch.equal(y, y[:, :1].expand_as(y)) and not torch.equal(y[0], y[1])


@pytest.mark.parametrize("residual", [False, True])
def test_grids_of_stylegan2_by_hand(residual):
    grid = drawn(Grid(2, 3, 5, 8, residual, 0 if residual else 1)).eval()
    x, image = numbers(3, 2, 4, 4), None if residual else numbers(3, 1, 4, 4)
    ws = [numbers(3, 5) for _ in range(3)]
    found, picture = grid(x, image, ws)
    enlarge = Enlarge().double()
    h = grid.layers[1](grid.layers[0](x, ws[0]), ws[1])
    if residual:
        h = (enlarge(F.conv2d(x, grid.shortcut.weight)) + h) / 2**0.5
        assert picture is None
    else:
        torch.testing.assert_close(picture, enlarge(image) + grid.end(h, ws[2]))
    torch.testing.assert_close(found, h)


def test_an_image_is_made_without_demodulation():
    layer = drawn(ToImage(4, 2, 5))
    x, w = numbers(3, 4, 6, 6), numbers(3, 5)
    weight = layer.convolution.weight[:, :, 0, 0] / 2  # 1 / sqrt(4)
    expected = torch.einsum("nihw,ni,oi->nohw", x, layer.convolution.affine(w), weight) + layer.bias
    torch.testing.assert_close(layer(x, w), expected)
