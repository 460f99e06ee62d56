"""Parameter counts against the authors' programs; styles, chunks, sizes and starting scales of today's networks."""

import pytest
import torch
from torch import nn

from ganvas.networks import biggan, r3gan, sagan, sngan_resnet, stylegan2
from ganvas.networks.shapes import doublings

COLOUR = (3, 32, 32)


def count(build):
    """Number of parameters, without the time and memory to draw them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build().parameters())


def skip(weight):
    """Leave a weight as it is."""


def test_stylegan2_has_the_parameters_of_the_authors_program():
    # stylegan2-ada-pytorch, training/networks.py: Generator and Discriminator, channel_max=512, channel_base=32768.
    small = {"style_dim": 512, "mapping_layers": 2, "residual": False, "mixing": 0.0}
    assert count(lambda: stylegan2.Generator(COLOUR, 512, 512, **small)) == 19_947_539
    assert count(lambda: stylegan2.Critic(COLOUR, 512, residual=False, group=32)) == 20_720_641
    large = {"style_dim": 512, "mapping_layers": 8, "residual": True, "mixing": 0.9}
    assert count(lambda: stylegan2.ConditionalGenerator((3, 128, 128), 512, 10, 512, **large)) == 29_455_118
    assert count(lambda: stylegan2.ConditionalCritic((3, 128, 128), 10, 512, 8, True, 4)) == 30_758_144
    assert count(lambda: stylegan2.Critic((3, 64, 64), 512, residual=True, group=4)) == 26_488_833


def test_biggan_has_the_parameters_of_the_authors_program():
    # Their G has a bias before the second normalisation of each block, without effect: one a channel of the block.
    for size, channels, latent_dim, classes, biases, theirs in (
        (32, 64, 80, 10, 768, 4_369_156),
        (64, 64, 100, 1000, 1_920, 31_866_116),
        (128, 96, 120, 1000, 2_976, 70_433_988),
    ):
        shape = (3, size, size)
        numbers = (shape, latent_dim, classes, channels, 128, False, skip)
        assert count(lambda numbers=numbers: biggan.ConditionalGenerator(*numbers)) == theirs - biases
    # Their D has an embedding of the classes, which is the wrapper's here.
    embedding = 1000 * 16 * 96
    assert count(lambda: sagan.Critic((3, 128, 128), 96, skip)) == 87_982_370 - embedding


def test_r3gan_has_the_parameters_of_the_authors_program():
    for size, generator, critic in ((32, 20_732_160, 20_683_776), (64, 22_429_824, 22_381_440)):
        assert count(lambda size=size: r3gan.Generator((3, size, size), 64, 768, 2)) == generator
        assert count(lambda size=size: r3gan.Critic((3, size, size), 768, 2)) == critic
    # With classes, by their layers: a wider linear layer, and an embedding as wide as the latent; in the critic 768
    # outputs instead of one, and an embedding as wide.
    conditional = 20_732_160 + 64 * 768 + 10 * 64
    assert count(lambda: r3gan.ConditionalGenerator(COLOUR, 64, 10, 64, 768, 2)) == conditional
    assert count(lambda: r3gan.ConditionalCritic(COLOUR, 10, 768, 2)) == 20_683_776 + 767 * 768 + 10 * 768


def test_sngan_has_the_parameters_of_the_papers_table():
    wide = 256 * 256 * 9
    up = (512 + wide) + (512 + wide + 256) + (256 * 256 + 256)  # without the bias before a normalisation
    generator = (128 * 4096 + 4096) + 3 * up + 512 + (256 * 3 * 9 + 3)
    assert count(lambda: sngan_resnet.Generator(COLOUR, 128, 256)) == generator
    # Ten classes have scales and shifts of their own in the blocks' six normalisations, and not in the last one.
    assert count(lambda: sngan_resnet.ConditionalGenerator(COLOUR, 128, 256, 10)) == generator + 6 * 9 * 512
    wide = 128 * 128 * 9 + 128
    critic = (3 * 128 * 9 + 128 + wide + 3 * 128 + 128) + (2 * wide + 128 * 128 + 128) + 2 * (2 * wide) + 129
    assert count(lambda: sngan_resnet.Critic(COLOUR, 128)) == critic == 1_053_825


@pytest.mark.parametrize(
    "size, sides", [(28, [7, 14, 28]), (32, [4, 8, 16, 32]), (40, [5, 10, 20, 40]), (24, [6, 12, 24])]
)
def test_doublings_end_at_the_image(size, sides):
    assert doublings("sagan", (1, size, size), 2, 5) == sides


@pytest.mark.parametrize("shape", [(1, 28, 32), (1, 30, 30), (1, 12, 12), (1, 256, 256), (1, 36, 36)])
def test_doublings_refuse_other_sizes(shape):
    said = r"network 'sagan'.*16 to 224 pixels whose side is 4, 5, 6 or 7 times a power of two. Fix"
    with pytest.raises(ValueError, match=said):
        doublings("sagan", shape, 2, 5)


def test_sngan_scores_are_the_sum_over_eight_by_eight():
    critic = sngan_resnet.Critic(COLOUR, 4)
    assert critic.body(torch.zeros(1, *COLOUR)).shape == (1, 4, 8, 8)
    assert sngan_resnet.Critic((1, 28, 28), 4).body(torch.zeros(1, 1, 28, 28)).shape == (1, 4, 7, 7)
    x = torch.randn(2, *COLOUR)
    torch.testing.assert_close(critic.features(x), 64 * critic.body(x).mean(dim=(2, 3)))


def attended(network, x):
    """Shape of the grid that the attention of a network sees."""
    seen = []
    layer = next(module for module in network.modules() if isinstance(module, sagan.SelfAttention))
    with layer.register_forward_hook(lambda _, args, __: seen.append(args[0].shape[2])):
        network(x)
    return seen


@pytest.mark.parametrize("size, grid", [(28, 14), (32, 16), (64, 32)])
def test_attention_is_on_the_second_largest_grid(size, grid):
    shape = (1, size, size)
    for generator in (sagan.Generator(shape, 6, 1, True, skip), biggan.Generator(shape, 6, 1, True, skip)):
        assert attended(generator, torch.randn(2, 6)) == [grid]
    assert attended(sagan.Critic(shape, 1, skip), torch.randn(2, *shape)) == [grid]


def test_every_weight_of_a_sagan_generator_is_spectrally_normalised():
    generator = sagan.Generator((1, 28, 28), 6, 2, True, nn.init.orthogonal_)
    for layer in generator.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            assert "weight" in layer.parametrizations
    plain = sagan.Generator((1, 28, 28), 6, 2, False, nn.init.orthogonal_)
    assert not any("parametrizations" in key for key in plain.state_dict())


def test_chunks_of_a_latent_reach_their_blocks_and_no_others():
    torch.manual_seed(0)
    generator = biggan.Generator((1, 28, 28), 8, 2, False, nn.init.orthogonal_).eval()
    assert generator.body.chunks == [4, 2, 2]  # the first takes what does not divide evenly
    seen = []
    for block in generator.body.blocks:
        block.register_forward_hook(lambda _, args, __: seen.append(args[1]))
    z = torch.arange(8.0)[None]
    generator(z)
    assert [given.tolist() for given in seen] == [[[4, 5]], [[6, 7]]]
    with pytest.raises(ValueError, match=r"`latent_dim` is 2; expected at least 3.*prior.dim=60"):
        biggan.Generator((1, 28, 28), 2, 2, False, skip)


def test_blocks_of_biggan_share_one_embedding_of_the_class():
    torch.manual_seed(0)
    generator = biggan.ConditionalGenerator((1, 28, 28), 6, 3, 2, 4, False, nn.init.orthogonal_)
    seen = []
    for block in generator.body.blocks:
        block.register_forward_hook(lambda _, args, __: seen.append(args[1][:, :4]))
    generator(torch.randn(2, 6), torch.tensor([2, 0]))
    assert all(torch.equal(given, generator.embedding.weight[[2, 0]]) for given in seen) and len(seen) == 2


def styled(**changed):
    torch.manual_seed(0)
    numbers = {"channels": 4, "style_dim": 5, "mapping_layers": 2, "residual": False, "mixing": 0.0}
    return stylegan2.Generator((1, 28, 28), 6, **(numbers | changed))


def test_a_latent_is_normalised():
    generator, z = styled(), torch.randn(3, 6)
    torch.testing.assert_close(generator.style(z), generator.style(7 * z))


def test_the_mean_style_is_followed_in_training_only():
    generator, z = styled(), torch.randn(3, 6)
    mean = generator.style(z).mean(0)
    torch.testing.assert_close(generator.w_mean, 0.005 * mean)
    generator.style(z)
    torch.testing.assert_close(generator.w_mean, (0.005 + 0.995 * 0.005) * mean)
    before = generator.w_mean.clone()
    generator.eval().style(z)
    assert torch.equal(generator.w_mean, before)


@pytest.mark.parametrize("residual", [False, True])
def test_each_layer_has_its_style(residual):
    generator = styled(residual=residual).eval()
    w = generator.style(torch.randn(2, 6))
    assert generator.styles == 6
    ws = w[:, None].expand(-1, 6, -1)
    torch.testing.assert_close(generator.synthesise(w), generator.synthesise(ws))
    one = generator.synthesise(w)
    for k in range(6):
        other = ws.clone()
        other[:, k] += 1
        assert not torch.allclose(generator.synthesise(other), one), f"style {k} has no effect"


def test_mixed_styles_are_those_of_another_latent_from_some_layer_on():
    generator = styled(mixing=1.0)
    seen = []
    generator.synthesise = lambda w: seen.append(w) or torch.zeros(len(w), 1, 28, 28)
    z = torch.randn(3, 6)
    w = generator.style(z)
    firsts = set()
    for _ in range(30):
        generator(z)
        ws = seen.pop()
        own = (ws == w[:, None]).all(-1)
        first = int(own[0].sum())
        firsts.add(first)
        assert torch.equal(own, (torch.arange(6) < first).expand(3, -1))
        torch.testing.assert_close(ws[:, first:], w.roll(1, 0)[:, None].expand(-1, 6 - first, -1))
    assert firsts == {1, 2, 3, 4, 5}
    generator.eval()(z)
    assert torch.equal(seen.pop(), w)


@pytest.mark.parametrize("make", [lambda: styled(), lambda: r3gan.Generator((1, 28, 28), 6, 8, 1)])
def test_a_linear_output_is_clipped_in_evaluation(make):
    generator = make()
    last = generator.grids[-1].end.bias if isinstance(generator, stylegan2.Generator) else generator.output.weight
    nn.init.constant_(last, 5.0)
    z = torch.randn(4, 6)
    free = generator(z)
    assert free.abs().max() > 1
    torch.testing.assert_close(generator.eval()(z), free.clamp(-1, 1))


def test_r3gan_starts_with_blocks_that_are_the_identity():
    block = r3gan.Bottleneck(16, depth=8)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block(x), x)
    torch.manual_seed(0)
    weight = r3gan.Bottleneck(256, depth=16).branch[0].weight
    assert weight.std().item() == pytest.approx((2 / 1.04) ** 0.5 * 16**-0.25 / 16, rel=0.02)
    grouped = r3gan.Bottleneck(64, depth=16).branch[2]
    assert grouped.groups == 8 and grouped.weight.shape == (128, 16, 3, 3)
    with pytest.raises(ValueError, match="`channels` is 12; expected a multiple of 8"):
        r3gan.Generator((1, 28, 28), 6, 12, 1)


def test_r3gan_reads_the_embedding_of_a_class_beside_the_latent():
    torch.manual_seed(0)
    generator = r3gan.ConditionalGenerator(COLOUR, 6, 3, 4, 8, 1)
    plain = r3gan.Generator(COLOUR, 10, 8, 1)
    state = generator.state_dict()
    table = state.pop("embedding.weight")
    plain.load_state_dict(state)
    z, y = torch.randn(3, 6), torch.tensor([2, 0, 1])
    beside = torch.stack([torch.cat([latent, table[y[i]]]) for i, latent in enumerate(z)])
    torch.testing.assert_close(generator(z, y), plain(beside))


def test_r3gan_compares_features_of_an_image_with_the_embedding_of_its_class():
    torch.manual_seed(0)
    critic = r3gan.ConditionalCritic(COLOUR, 3, 8, 1).double()
    x, y = torch.randn(4, *COLOUR, dtype=torch.float64), torch.tensor([2, 0, 1, 1])
    said = critic.read(x, y)
    features, weight, table = critic.body(x), critic.output.weight, critic.embedding.weight
    torch.testing.assert_close(said.features, features)
    torch.testing.assert_close(said.scores, torch.einsum("nj,ij,ni->n", features, weight, table[y]))


def test_embeddings_of_r3gan_start_as_the_authors_do():
    """They are linear layers of one-hot vectors: N(0, 1 / classes), and a further 1 / width in the critic."""
    torch.manual_seed(0)
    generator = r3gan.ConditionalGenerator(COLOUR, 6, 50, 200, 8, 1)
    assert generator.embedding.weight.std().item() == pytest.approx(50**-0.5, rel=0.03)
    assert generator.scales.weight.std().item() == pytest.approx(206**-0.5, rel=0.1)
    critic = r3gan.ConditionalCritic((1, 28, 28), 50, 64, 1)
    assert critic.embedding.weight.std().item() == pytest.approx((50 * 64) ** -0.5, rel=0.05)
    assert critic.output.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)


def test_sngan_normalises_by_class_in_its_blocks_and_not_at_the_end():
    generator = sngan_resnet.ConditionalGenerator((1, 28, 28), 6, 4, 3)
    plain = sngan_resnet.Generator((1, 28, 28), 6, 4)
    kinds = [type(layer).__name__ for layer in generator.body]
    assert kinds == ["ConditionalResidual", "ConditionalResidual", "BatchNorm2d", "ReLU"]
    # With the scales and shifts of a class it is the plain generator for examples of that class.
    state = generator.state_dict()
    for value in state.values():
        if value.shape == (3, 4):
            nn.init.normal_(value)
    for y in range(3):
        own = {key: value[y] if value.shape == (3, 4) else value for key, value in state.items()}
        plain.load_state_dict({key.replace("norm.", ""): value for key, value in own.items()})
        z = torch.randn(5, 6)
        torch.testing.assert_close(generator(z, torch.full((5,), y)), plain(z))


@pytest.mark.parametrize(
    "generator, critic",
    [
        (lambda: styled(channels=32), lambda: stylegan2.Critic((1, 28, 28), 32, True, 4)),
        (lambda: sagan.Generator((1, 28, 28), 6, 8, True, nn.init.xavier_uniform_), None),
        (lambda: biggan.Generator((1, 28, 28), 6, 8, True, nn.init.orthogonal_), None),
        (lambda: r3gan.Generator((1, 28, 28), 6, 32, 1), lambda: r3gan.Critic((1, 28, 28), 32, 1)),
    ],
    ids=["stylegan2", "sagan", "biggan", "r3gan"],
)
def test_starts_with_sane_scale(generator, critic):
    torch.manual_seed(0)
    with torch.no_grad():
        images = generator()(torch.randn(16, 6))
        assert 0.1 < images.std() < 3
        if critic is not None:
            assert 0.01 < critic()(images).std() < 5
