r"""The networks of the first GAN: a ReLU generator with a sigmoid, and a maxout discriminator with dropout.

A maxout unit is the maximum of its pieces,

.. math:: h_i(x) = \max_{j \le k} \; w_{ij} \cdot x + b_{ij}.

Images are in [0, 1] in the paper; here :math:`x = 2 \, \mathrm{sigmoid}(a) - 1 = \tanh(a / 2)`.

Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, and its published mnist.yaml; maxout: Goodfellow et
al. 2013, eq. 2, https://arxiv.org/abs/1302.4389. PacGAN's discriminator (Lin et al. 2018) has the same form.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import Initialiser, initialise, start_at_
from ganvas.networks.mlp import layers
from ganvas.networks.shapes import any_shape, image_shape

NAME = "maxout"


class Maxout(nn.Module):
    """A layer of maxout units.

    Args:
        inputs: number of inputs.
        units: number of units, which is the number of outputs.
        pieces: number of affine maps of which a unit takes the maximum, at least 2.

    Raises:
        ValueError: fewer than two pieces.
    """

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        if pieces < 2:
            raise ValueError(f"argument `pieces` is {pieces}; expected >= 2: with one piece a maxout unit is linear")
        self.pieces = pieces
        self.affine = nn.Linear(inputs, units * pieces)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """Take the largest piece of every unit; unit ``i`` has the rows ``i * pieces`` to ``(i + 1) * pieces``."""
        # max, not amax: one piece gets the gradient when several are equal, and its backward is cheaper.
        return self.affine(x).unflatten(1, (-1, self.pieces)).max(dim=2).values


class Generator(nn.Module):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: channels, height and width of one image; any size.
        latent_dim: number of latent dimensions d, at least 1.
        hidden: widths of the ReLU layers, latent side first.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, hidden: Sequence[int], init: Initialiser) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [latent_dim, *hidden]
        self.body = layers(widths, "ReLU", batch_norm=False)
        self.output = nn.Linear(widths[-1], prod(self.shape))
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return (0.5 * self.output(self.body(z))).tanh().unflatten(1, self.shape)

    def start_at(self, mean: Float[Tensor, "*shape"]) -> None:
        """Set the output bias to the logit of the mean training image, whose pixels are in [0, 1]."""
        start_at_(self.output, mean, clip=1e-7)


class Critic(FeatureCritic):
    """Critic with one score for each example.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        hidden: widths of the maxout layers, example side first.
        pieces: number of affine maps of which a unit takes the maximum, at least 2.
        dropout: probability of dropping an input of each layer, in [0, 1), one more than there
            are hidden layers; the first is for the example itself.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: ``dropout`` has another length.
    """

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Sequence[int],
        pieces: int,
        dropout: Sequence[float],
        init: Initialiser,
    ) -> None:
        super().__init__()
        if len(dropout) != len(hidden) + 1:
            expected = f"{len(hidden) + 1}: one for each layer, the output layer included"
            raise ValueError(f"network 'maxout': argument `dropout` has {len(dropout)} values; expected {expected}")
        self.shape = any_shape(NAME, shape)
        widths = [prod(self.shape), *hidden]
        stack: list[nn.Module] = []
        for inputs, units, drop in zip(widths, hidden, dropout, strict=False):
            stack += [nn.Dropout(drop), Maxout(inputs, units, pieces)]
        self.body = nn.Sequential(*stack, nn.Dropout(dropout[-1]))
        self.output = nn.Linear(widths[-1], 1)
        initialise(self, init)

    def features(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
        """Compute the last hidden layer, with dropout in training."""
        return self.body(x.flatten(1))
