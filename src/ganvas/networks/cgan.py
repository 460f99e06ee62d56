r"""The networks of the first conditional GAN: latent, image and class each have a layer of their own before they meet.

.. math:: G(z, y) = \mathrm{sigmoid}\big(g(\mathrm{ReLU}(A z), \mathrm{ReLU}(B e_y))\big), \qquad
    D(x, y) = w \cdot m_3\big(m_1(x), m_2(e_y)\big) + b,

with the one-hot vector :math:`e_y` of the class, a ReLU layer :math:`g` and maxout layers :math:`m_i`. Images are in
[0, 1] in the paper; here :math:`x = 2 \, \mathrm{sigmoid}(a) - 1 = \tanh(a / 2)`, and the critic takes
:math:`(x + 1) / 2`.

Reference: Mirza & Osindero 2014, section 4.1, https://arxiv.org/abs/1411.1784
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganvas.networks.init import Initialiser, initialise, start_at_
from ganvas.networks.maxout import Maxout
from ganvas.networks.shapes import image_shape
from ganvas.types import Judged

NAME = "cgan"


class Generator(nn.Module):
    """Conditional generator of images in [-1, 1].

    Args:
        shape: channels, height and width of one image; any size.
        latent_dim: number of latent dimensions d, at least 1.
        classes: number of classes.
        hidden: widths of the layer of the latent, of the layer of the class, and of the layer of both.
        dropout: probability of dropping an input of the last two layers, in [0, 1).
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        classes: int,
        hidden: Sequence[int],
        dropout: float,
        init: Initialiser,
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.classes = classes
        of_latent, of_class, of_both = hidden
        self.latent = nn.Linear(latent_dim, of_latent)
        self.label = nn.Linear(classes, of_class)
        self.both = nn.Linear(of_latent + of_class, of_both)
        self.output = nn.Linear(of_both, prod(self.shape))
        self.dropout = nn.Dropout(dropout)
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate an image of class ``y`` from each latent."""
        apart = torch.cat([self.latent(z), self.label(one_hot(y, self.classes).to(z.dtype))], 1).relu()
        joined = self.both(self.dropout(apart)).relu()
        return (0.5 * self.output(self.dropout(joined))).tanh().unflatten(1, self.shape)

    def start_at(self, mean: Float[Tensor, "*shape"]) -> None:
        """Set the output bias to the logit of the mean training image, whose pixels are in [0, 1]."""
        start_at_(self.output, mean, clip=1e-7)


class Critic(nn.Module):
    """Conditional critic of images in [-1, 1].

    Args:
        shape: channels, height and width of one image; any size.
        classes: number of classes.
        hidden: maxout units of the image, of the class, and of both.
        pieces: number of affine maps of which a unit of each of the three takes the maximum, at least 2.
        dropout: probability of dropping an input of the last two layers, in [0, 1).
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        hidden: Sequence[int],
        pieces: Sequence[int],
        dropout: float,
        init: Initialiser,
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.classes = classes
        of_image, of_class, of_both = hidden
        self.image = Maxout(prod(self.shape), of_image, pieces[0])
        self.label = Maxout(classes, of_class, pieces[1])
        self.both = Maxout(of_image + of_class, of_both, pieces[2])
        self.output = nn.Linear(of_both, 1)
        self.dropout = nn.Dropout(dropout)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Score images of classes ``y``."""
        return self.read(x, y).scores

    def read(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score images of classes ``y``, and return the last hidden layer, with dropout in training."""
        assert y is not None
        label = self.label(one_hot(y, self.classes).to(x.dtype))
        apart = torch.cat([self.image((x.flatten(1) + 1) / 2), label], 1)
        features = self.dropout(self.both(self.dropout(apart)))
        return Judged(self.output(features).squeeze(1), features)
