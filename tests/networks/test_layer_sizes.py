"""Parameter counts against the papers' layer tables, computed by hand here; sizes between layers."""

from functools import partial

import pytest
import torch

from ganvas.latents import DiagonalNormal
from ganvas.networks import article, conv_vae, dcgan, infogan, maxout, mlp, pythae, resnet, resnet_vae
from ganvas.networks.init import glorot_uniform_, normal_, uniform_
from ganvas.networks.shapes import doubling_paddings, halvings

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)
GLOROT, SMALL = partial(glorot_uniform_, gain=1.0), partial(normal_, std=0.02)


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_article():
    generator = mlp.Generator(MNIST, 100, [128], "ReLU", batch_norm=False, init=GLOROT)
    assert count(generator) == (100 * 128 + 128) + (128 * 784 + 784) == 114_064
    critic = article.Critic(MNIST, [32, 64], slope=0.01, dropout=0.3, init=GLOROT)
    assert count(critic) == (9 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 7 * 7 + 1) == 21_953
    assert [type(layer).__name__ for layer in critic.body] == ["Conv2d", "LeakyReLU", "Dropout"] * 2


def test_article_reads_odd_sizes_like_same_padding():
    critic = article.Critic((1, 7, 9), [4, 4], slope=0.01, dropout=0.3, init=GLOROT)
    assert critic.output.in_features == 4 * 2 * 3
    assert critic(torch.zeros(2, 1, 7, 9)).shape == (2,)


def test_iwae_and_aevb_are_expressible():
    encoder = mlp.Encoder(MNIST, 50, [200, 200], "Tanh", init=GLOROT)
    assert count(encoder) == (784 * 200 + 200) + (200 * 200 + 200) + (200 * 100 + 100) == 217_300
    decoder = mlp.Decoder(MNIST, 20, [500], "Tanh", init=partial(normal_, std=0.1))
    assert count(decoder) == (20 * 500 + 500) + (500 * 784 + 784) == 403_284


def test_infogan():
    generator = infogan.Generator(MNIST, 64, init=SMALL)
    dense = 64 * 1024 + 2 * 1024 + 1024 * 6272 + 2 * 6272  # biases fall to the normalisation
    assert count(generator) == dense + (128 * 64 * 16 + 2 * 64) + (64 * 16 + 1) == 6_634_881
    convolutions = (16 * 64 + 64) + (64 * 128 * 16 + 128)
    assert count(infogan.Critic(MNIST, batch_norm=False, init=SMALL)) == convolutions + 6272 * 1024 + 1024 + 1025
    # Per normalised layer the bias goes, a scale and a shift come.
    assert count(infogan.Critic(MNIST, batch_norm=True, init=SMALL)) == convolutions + 6272 * 1024 + 1024 + 1025 + 1152
    assert infogan.Encoder(MNIST, 64, batch_norm=True, init=SMALL).body[-1].out_features == 128


def test_pythae():
    """Sums over the layers that the authors' documentation prints; the normalised convolutions have no bias here."""
    wide = 16 * (128 * 256 + 256 * 512 + 512 * 1024) + 2 * (128 + 256 + 512 + 1024)
    sizes = {"latent_dim": 16, "init": SMALL}
    encoder = partial(pythae.Encoder, channels=[128, 256, 512, 1024], posterior=DiagonalNormal(), **sizes)
    assert count(encoder(MNIST)) == 16 * 128 + wide + 2 * (1024 * 16 + 16)
    assert count(encoder(CIFAR)) == 3 * 16 * 128 + wide + 2 * (4096 * 16 + 16)
    decoder = {"channels": [1024, 512, 256], "likelihood": None, **sizes}
    normalised = 2 * (512 + 256)
    mnist = pythae.MnistDecoder(MNIST, **decoder)
    convolutions = 9 * (1024 * 512 + 512 * 256 + 256) + 1
    assert count(mnist) == (16 * 16384 + 16384) + convolutions + normalised
    cifar = pythae.CifarDecoder(CIFAR, **decoder)
    convolutions = 16 * (1024 * 512 + 512 * 256 + 256 * 3) + 3
    assert count(cifar) == (16 * 65536 + 65536) + convolutions + normalised
    with torch.no_grad():
        paddings = [layer.output_padding for layer in mnist.body if isinstance(layer, torch.nn.ConvTranspose2d)]
        assert paddings == [(0, 0), (1, 1), (1, 1)] and mnist(torch.zeros(2, 16)).shape == (2, *MNIST)
        assert cifar(torch.zeros(2, 16)).shape == (2, *CIFAR)


def test_a_residual_vae_starts_as_the_network_without_blocks():
    sizes = {"latent_dim": 5, "channels": [8, 4], "activation": "ReLU", "init": GLOROT}
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    deep = resnet_vae.Decoder((1, 13, 18), blocks=2, likelihood=None, **sizes)
    plain = resnet_vae.Decoder((1, 13, 18), blocks=0, likelihood=None, **sizes)
    blocks = 2 * (2 * (8 * 8 * 9 + 8) + 2 * (4 * 4 * 9 + 4))
    assert count(deep) - count(plain) == blocks
    plain.load_state_dict(
        dict(zip(plain.state_dict(), [p for p in deep.parameters() if id(p) not in branches(deep)], strict=True))
    )
    torch.testing.assert_close(deep(z), plain(z))


def branches(net):
    return {id(p) for module in net.modules() if isinstance(module, resnet.Residual) for p in module.parameters()}


def test_resnet():
    wide = 128 * 128 * 9
    up = (256 + wide) + (256 + wide + 128) + (128 * 128 + 128)
    paper_biases = 3 * 128  # before the second normalisation of each block: without effect, left out
    generator = resnet.Generator(CIFAR, 128, channels=128)
    assert count(generator) == (128 * 2048 + 2048) + 3 * up + 256 + (128 * 3 * 9 + 3) == 1_204_483 - paper_biases
    first = (3 * 128 * 9 + 128) + (wide + 128) + (3 * 128 + 128)
    plain = 2 * (wide + 128)
    critic = resnet.Critic(CIFAR, channels=128)
    assert count(critic) == first + (plain + 128 * 128 + 128) + 2 * plain + 129 == 1_053_825


def test_resnet_critic_ends_on_eight_by_eight():
    for size in (16, 32, 64):
        critic = resnet.Critic((1, size, size), channels=2)
        assert critic.body(torch.zeros(1, 1, size, size)).shape == (1, 2, 8, 8)


def test_resnet_shortcuts_equal_the_order_of_the_paper():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 6, 6)
    convolution, enlarge = resnet.up(8).shortcut
    torch.testing.assert_close(enlarge(convolution(x)), convolution(enlarge(x)))
    pool, convolution = resnet.down(8).shortcut
    torch.testing.assert_close(convolution(pool(x)), pool(convolution(x)))


def test_resnet_refuses_oblong_and_small_images():
    for shape in ((3, 32, 64), (3, 24, 24), (3, 4, 4)):
        with pytest.raises(ValueError, match="4 x a power of two"):
            resnet.Generator(shape, 8, channels=4)
    with pytest.raises(ValueError, match="serves square images of 16, 32"):
        resnet.Critic((3, 8, 8), channels=4)


def test_maxout():
    generator = maxout.Generator(MNIST, 100, [1200, 1200], init=partial(uniform_, bound=0.05))
    assert count(generator) == (100 * 1200 + 1200) + (1200 * 1200 + 1200) + (1200 * 784 + 784) == 2_503_984
    critic = maxout.Critic(MNIST, [240, 240], pieces=5, dropout=[0.2, 0.5, 0.5], init=partial(uniform_, bound=0.005))
    assert count(critic) == (784 * 1200 + 1200) + (240 * 1200 + 1200) + 241 == 1_231_441


def test_pacgan_critic_is_expressible():
    critic = maxout.Critic((4,), [200, 200, 200], pieces=5, dropout=[0.0] * 4, init=SMALL)
    assert count(critic) == (4 * 1000 + 1000) + 2 * (200 * 1000 + 1000) + 201
    generator = mlp.Generator((2,), 2, [400] * 4, "ReLU", batch_norm=True, init=GLOROT)
    assert count(generator) == 2 * 400 + 3 * 400 * 400 + 4 * 800 + 802


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (64, 64), (96, 96), (8, 8), (29, 31), (45, 30)])
def test_dcgan_and_conv_end_at_the_wanted_size(size):
    shape = (2, *size)
    for decoder in (
        dcgan.Generator(shape, 5, [8, 6, 4], init=SMALL),
        conv_vae.Decoder(shape, 5, [8, 6, 4], hidden=7, activation="ReLU", init=GLOROT),
    ):
        assert decoder(torch.zeros(2, 5)).shape == (2, *shape)
    assert dcgan.Critic(shape, [4, 6, 8], batch_norm=True, init=SMALL)(torch.zeros(2, *shape)).shape == (2,)


def test_dcgan_default_grid_is_seven_by_seven():
    generator = dcgan.Generator(MNIST, 64, [64, 32], init=SMALL)
    assert generator.coarsest == (64, 7, 7)
    assert count(generator) == 64 * 3136 + 128 + (64 * 32 * 16 + 64) + (32 * 16 + 1)
    assert count(dcgan.Critic(MNIST, [32, 64], False, init=SMALL)) == (512 + 32) + (32 * 64 * 16 + 64) + 3137


def test_halving_chain_is_the_convolutions():
    sizes = halvings("dcgan", (1, 29, 30), 3)
    assert sizes == [(29, 30), (14, 15), (7, 7), (3, 3)]
    assert doubling_paddings(sizes) == [(1, 1), (0, 1), (1, 0)]


def test_too_small_for_the_stages():
    with pytest.raises(
        ValueError, match=r"network 'dcgan'.*\(1, 7, 28\).*at least 8x8 with 3 stages.*fewer `channels`"
    ):
        dcgan.Generator((1, 7, 28), 5, [4, 4, 4], init=SMALL)
    with pytest.raises(ValueError, match="`channels` is empty"):
        dcgan.Critic(MNIST, [], False, init=SMALL)


def test_other_bad_arguments_name_the_fix():
    with pytest.raises(ValueError, match="`activation` is 'relu'; expected one of ELU, .*Tanh"):
        mlp.Critic(MNIST, [3], "relu", init=GLOROT)
    with pytest.raises(ValueError, match="widths are .*expected all >= 1"):
        mlp.Critic(MNIST, [0], "ReLU", init=GLOROT)
    with pytest.raises(ValueError, match="`dropout` has 2 values; expected 3"):
        maxout.Critic(MNIST, [4, 4], 5, [0.1, 0.1], init=GLOROT)
    with pytest.raises(ValueError, match="`pieces` is 1"):
        maxout.Critic(MNIST, [4], 1, [0.1, 0.1], init=GLOROT)
    with pytest.raises(ValueError, match="multiples of 4"):
        infogan.Generator((1, 30, 28), 4, init=GLOROT)
