"""Today's networks against their papers' formulas, written out with plain functions of torch on the same weights."""

import pytest
import torch
from torch.nn import functional as F

from ganvas.networks import biggan, r3gan, sagan, sngan_resnet, stylegan2
from ganvas.networks.modulation import StyledLayer, ToImage
from ganvas.networks.resampling import Enlarge, Filter, shrink

GREY = (1, 16, 16)
N, D = 3, 7


def skip(weight):
    """Leave a weight as it is."""


def drawn(network):
    """The network in double precision, with drawn weights of which none is 0."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.5)
    return network.double()


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def convolved(layer, x):
    return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[2] // 2)


def standardised(x):
    """Batch normalisation without scale and shift."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def normalised(norm, x):
    return norm.weight[:, None, None] * standardised(x) + norm.bias[:, None, None]


def doubled(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def halved(x):
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def weighted(block):
    """The layers of a residual block that have weights: those of the branch, and that of the shortcut or None."""
    branch = [layer for layer in block.branch if any(True for _ in layer.parameters())]
    return branch, next((layer for layer in block.shortcut.modules() if isinstance(layer, torch.nn.Conv2d)), None)


def up(block, x):
    (first, one, second, two), shortcut = weighted(block)
    h = convolved(one, doubled(normalised(first, x).relu()))
    return convolved(two, normalised(second, h).relu()) + doubled(convolved(shortcut, x))


def down(block, x, halve, activate=True):
    (one, two), shortcut = weighted(block)
    h = convolved(two, convolved(one, x.relu() if activate else x).relu())
    assert (shortcut is not None) == halve
    return halved(h) + convolved(shortcut, halved(x)) if halve else h + x


def assert_halving_critic(critic, x, blocks, attention=None):
    """Check a critic of two halving and two plain blocks, and the sum over its last grid."""
    h = down(blocks[0], x, halve=True, activate=False)
    h = down(blocks[1], attention(h) if attention else h, halve=True)
    for block in blocks[2:]:
        h = down(block, h, halve=False)
    features = h.relu().sum((2, 3))
    said = critic.read(x)
    torch.testing.assert_close(said.features, features)
    torch.testing.assert_close(said.scores, features @ critic.output.weight[0] + critic.output.bias)


def test_biggans_generator():
    generator = drawn(biggan.ConditionalGenerator(GREY, D, 4, 1, 5, False, skip))
    z, y = random(N, D), torch.tensor([3, 0, 1])

    def given_norm(norm, x, given):
        scale, shift = given @ norm.scale.weight.T, given @ norm.shift.weight.T
        return (1 + scale[:, :, None, None]) * standardised(x) + shift[:, :, None, None]

    body, label = generator.body, generator.embedding.weight[y]
    h = F.linear(z[:, :3], body.project.weight, body.project.bias).view(N, 4, 4, 4)
    for block, piece in zip(body.blocks, (z[:, 3:5], z[:, 5:]), strict=True):
        given = torch.cat([label, piece], 1)
        h = body.attention(h) if block is body.blocks[-1] else h
        inner = convolved(block.convolution1, doubled(given_norm(block.norm1, h, given).relu()))
        outer = convolved(block.convolution2, given_norm(block.norm2, inner, given).relu())
        h = outer + doubled(convolved(block.shortcut, h))
    expected = convolved(body.output[2], normalised(body.output[0], h).relu()).tanh()
    torch.testing.assert_close(generator(z, y), expected)


def test_embeddings_of_biggan_have_the_initial_weights_of_all_others():
    generator = biggan.ConditionalGenerator(GREY, D, 4, 1, 5, False, torch.nn.init.ones_)
    assert (generator.embedding.weight == 1).all()


def test_sagans_generator():
    generator, z = drawn(sagan.Generator(GREY, D, 1, False, skip)), random(N, D)
    project, _, first, attention, last, norm, _ = generator.body
    h = F.linear(z, project.weight, project.bias).view(N, 4, 4, 4)
    h = normalised(norm, up(last, attention(up(first, h)))).relu()
    torch.testing.assert_close(generator(z), convolved(generator.output, h).tanh())


def test_sagans_critic():
    critic = drawn(sagan.Critic(GREY, 1, skip))
    first, attention, *blocks, _ = critic.body
    assert_halving_critic(critic, random(N, *GREY), [first, *blocks], attention)


# Multiples of the width, finest grid first: G_arch and D_arch of the authors' BigGAN.py for 32, 64 and 128 pixels.
@pytest.mark.parametrize(
    "size, generator, critic, last",
    [
        (16, [4, 4, 4], [4, 4, 4, 4], 4),
        (32, [4, 4, 4, 4], [4, 4, 4, 4], 8),
        (64, [2, 4, 8, 16, 16], [1, 2, 4, 8, 16], 4),
        (128, [1, 2, 4, 8, 16, 16], [1, 2, 4, 8, 16, 16], 4),
    ],
)
def test_widths_of_sagan_and_biggan(size, generator, critic, last):
    shape = (1, size, size)
    with torch.device("meta"):
        made, blocks = sagan.Generator(shape, D, 3, False, skip).body, biggan.Generator(shape, 6, 3, False, skip).body
        judge = sagan.Critic(shape, 3, skip)
        assert judge.body(torch.zeros(1, *shape)).shape[2:] == (last, last)
    doubling = [layer.branch[-1] for layer in made if hasattr(layer, "branch")]
    widths = [made[1].unflattened_size[0], *(layer.out_channels for layer in doubling)]
    assert widths[::-1] == [3 * multiple for multiple in generator]
    assert [block.convolution2.out_channels for block in blocks.blocks] == widths[1:]
    convolutions = [weighted(layer)[0][-1] for layer in judge.body if hasattr(layer, "branch")]
    assert [layer.out_channels for layer in convolutions] == [3 * multiple for multiple in critic]


def test_initial_weights_of_a_sagan_critic_are_those_that_were_asked_for():
    assert all((p == 1).all() for p in sagan.Critic(GREY, 1, torch.nn.init.ones_).parameters() if p.ndim > 1)


def test_generator_and_critic_of_sngan():
    generator, z = drawn(sngan_resnet.Generator(GREY, D, 4)), random(N, D)
    *blocks, norm, _ = generator.body
    h = F.linear(z, generator.project[0].weight, generator.project[0].bias).view(N, 4, 4, 4)
    for block in blocks:
        h = up(block, h)
    torch.testing.assert_close(generator(z), convolved(generator.output, normalised(norm, h).relu()).tanh())
    critic = drawn(sngan_resnet.Critic((1, 32, 32), 4))
    assert_halving_critic(critic, random(N, 1, 32, 32), list(critic.body[:4]))


@pytest.mark.parametrize("size, last", [(16, 8), (20, 10), (28, 7), (48, 12), (64, 8), (128, 8)])
def test_the_critic_of_sngan_halves_to_7_to_13_pixels(size, last):
    assert sngan_resnet.Critic((1, size, size), 1).body(torch.zeros(1, 1, size, size)).shape[2:] == (last, last)


def test_outer_layers_of_sngan_start_glorot_uniform():
    generator, critic = sngan_resnet.Generator((3, 16, 16), 50, 40), sngan_resnet.Critic((3, 16, 16), 400)
    for layer, fans in ((generator.project[0], 50 + 640), (generator.output, 9 * 43), (critic.output, 401)):
        bound = (6 / fans) ** 0.5
        assert 0.97 * bound < layer.weight.abs().max() <= bound and (layer.bias == 0).all()


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


def bottleneck(block, x):
    one, bias, grouped, other, three = block.branch
    h = leaky(F.conv2d(x, one.weight) + bias.bias)
    h = leaky(F.conv2d(h, grouped.weight, padding=1, groups=h.shape[1] // 16) + other.bias)
    return x + F.conv2d(h, three.weight)


def test_r3gans_generator():
    generator, z = drawn(r3gan.Generator(GREY, D, 8, 2)), random(N, D)
    h = generator.basis * (z @ generator.scales.weight.T)[:, :, None, None]
    for layer in generator.body:
        h = bottleneck(layer, h) if isinstance(layer, r3gan.Bottleneck) else Enlarge().double()(h)
    torch.testing.assert_close(generator(z), F.conv2d(h, generator.output.weight))


def test_r3gans_critic():
    critic, x = drawn(r3gan.Critic(GREY, 8, 2)), random(N, *GREY)
    first, *layers, basis, _ = critic.body
    h = F.conv2d(x, first.weight)
    for layer in layers:
        h = bottleneck(layer, h) if isinstance(layer, r3gan.Bottleneck) else shrink().double()(h)
    features = (h * basis.weight[:, 0]).sum((2, 3))
    torch.testing.assert_close(critic.read(x).features, features)
    torch.testing.assert_close(critic(x), features @ critic.output.weight[0])


def test_r3gan_starts_with_the_variances_of_the_paper():
    torch.manual_seed(0)
    generator, critic = r3gan.Generator((3, 32, 32), 64, 128, 2), r3gan.Critic((3, 32, 32), 128, 2)
    gain = (2 / 1.04) ** 0.5 * 8**-0.25  # two blocks on each of four grids
    for network in (generator, critic):
        blocks = [layer for layer in network.modules() if isinstance(layer, r3gan.Bottleneck)]
        assert len(blocks) == 8
        for block in blocks:
            for layer, fan_in in ((block.branch[0], 128), (block.branch[2], 144)):
                assert layer.weight.std().item() == pytest.approx(gain * fan_in**-0.5, rel=0.02)
    assert generator.scales.weight.std().item() == pytest.approx(64**-0.5, rel=0.03)
    assert critic.body[-2].weight.std().item() == pytest.approx(1 / 4, rel=0.05)
    assert critic.output.weight.std().item() == pytest.approx(128**-0.5, rel=0.2)


def test_widths_of_r3gan_are_whole_groups():
    generator = r3gan.Generator((1, 128, 128), D, 40, 1)
    blocks = [layer for layer in generator.body if isinstance(layer, r3gan.Bottleneck)]
    assert [block.branch[0].in_channels for block in blocks] == [40, 40, 40, 40, 16, 8]
    mixing = [layer[0] for layer in generator.body if isinstance(layer, torch.nn.Sequential) and len(layer) == 2]
    assert [layer.out_channels for layer in mixing] == [16, 8]


def test_each_layer_of_stylegan2_has_its_style_and_an_image_that_of_the_next_layer():
    generator = stylegan2.Generator(GREY, D, 4, 5, 2, False, 0.0).eval()
    ws, seen = torch.randn(N, generator.styles, 5), []
    for layer in generator.modules():
        if isinstance(layer, (StyledLayer, ToImage)):
            layer.register_forward_hook(lambda _, args, __: seen.append(args[1]))
    generator.synthesise(ws)
    places = [next(k for k in range(generator.styles) if torch.equal(w, ws[:, k])) for w in seen]
    assert places == [0, 1, *(1, 2, 3), *(3, 4, 5)]  # the layers of a grid, and its contribution to the image


def test_a_mixed_style_has_the_class_of_its_image_and_does_not_move_the_mean():
    generator, seen = stylegan2.ConditionalGenerator(GREY, D, 3, 4, 5, 2, False, mixing=1.0), []
    generator.synthesise = lambda w: seen.append(w) or torch.zeros(N, *GREY)
    z, y = torch.randn(N, D), torch.tensor([2, 0, 1])
    generator(z, y)
    torch.testing.assert_close(seen[0][:, -1], generator.mapping(z.roll(1, 0), y))
    torch.testing.assert_close(generator.w_mean, 0.005 * generator.mapping(z, y).mean(0))


def test_the_first_grid_of_stylegan2_starts_normal():
    generator = stylegan2.Generator(GREY, D, 500, 5, 2, False, 0.0)
    assert generator.start.std().item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("residual", [False, True])
def test_stylegan2s_critic(residual):
    critic, x = drawn(stylegan2.Critic(GREY, 4, residual, group=3)), random(N, *GREY)

    def rectified(layer, x, **where):
        return 2**0.5 * leaky(F.conv2d(x, layer.weight, layer.bias, **where))

    first, *blocks, _, last, flatten, dense, _ = critic.body
    h = rectified(first[0], x)
    for block in blocks:
        inner = rectified(block.branch[0][0], h, padding=1)
        blurred = Filter(stride=1, padding=2).double()(inner)
        outer = rectified(block.branch[1][1], blurred, stride=2)
        h = (F.conv2d(shrink().double()(h), block.shortcut[1].weight) + outer) / 2**0.5 if residual else outer
    told = (h.var(0, correction=0) + 1e-8).sqrt().mean().expand(N, 1, 4, 4)  # three images are one group
    h = rectified(last[0], torch.cat([h, told], 1), padding=1)
    features = 2**0.5 * leaky(F.linear(flatten(h), dense.weight, dense.bias))
    torch.testing.assert_close(critic.read(x).features, features)
    torch.testing.assert_close(critic(x), features @ critic.output.weight[0] + critic.output.bias)


def test_stylegan2s_critic_of_classes():
    critic, x = drawn(stylegan2.ConditionalCritic(GREY, 3, 4, 2, True, 3)), random(N, *GREY)
    y = torch.tensor([2, 0, 1])
    features = critic.body(x)
    wanted = critic.mapping(x.new_empty(N, 0), y)
    outputs = F.linear(features, critic.output.weight, critic.output.bias)
    torch.testing.assert_close(critic(x, y), torch.einsum("ni,ni->n", outputs, wanted) / 2)  # sqrt(4)
