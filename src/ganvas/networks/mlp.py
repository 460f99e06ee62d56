r"""Fully connected networks: flatten, then affine maps with a nonlinearity between them.

.. math:: h_{l+1} = a(W_l h_l + b_l), \qquad \text{output} = W_L h_L + b_L.

Serves images of any size and points. The generator ends in a tanh on images, in nothing on points.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from ganvas.latents.posteriors import diagonal_normal
from ganvas.networks.activations import activation as activation_named
from ganvas.networks.init import Initialiser, initialise, start_at_
from ganvas.networks.shapes import any_shape, is_points

NAME = "mlp"


def layers(widths: Sequence[int], activation: str, batch_norm: bool) -> nn.Sequential:
    """Affine maps between consecutive ``widths``, each followed by (normalisation and) the activation.

    Args:
        widths: input first; one layer fewer than there are widths.
        activation: name in ``torch.nn``.
        batch_norm: normalise before the activation; the affine map then has no bias, which would have no effect.

    Returns:
        The layers in order.

    Raises:
        ValueError: a width below one, or an unknown activation.
    """
    if min(widths) < 1:
        raise ValueError(f"arguments `hidden` and `latent_dim`: widths are {list(widths)}; expected all >= 1")
    stack: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        stack.append(nn.Linear(inputs, outputs, bias=not batch_norm))
        if batch_norm:
            stack.append(nn.BatchNorm1d(outputs))
        stack.append(activation_named(activation))
    return nn.Sequential(*stack)


class Generator(nn.Module):
    """Latents to examples: images in [-1, 1], points unbounded.

    Args:
        shape: of one example.
        latent_dim: dimension of the latent.
        hidden: widths of the hidden layers, latent side first.
        activation: name in ``torch.nn``.
        batch_norm: normalise the hidden layers.
        init: of the weights.

    Raises:
        ValueError: a shape, a width or an activation it does not have.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        batch_norm: bool,
        init: Initialiser,
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [latent_dim, *hidden]
        self.body = layers(widths, activation, batch_norm)
        self.output = nn.Linear(widths[-1], prod(self.shape))
        self.squash = nn.Identity() if is_points(self.shape) else nn.Tanh()
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Examples from latents."""
        return self.squash(self.output(self.body(z))).unflatten(1, self.shape)


class Critic(nn.Module):
    """Examples to scores.

    Args:
        shape: of one example.
        hidden: widths of the hidden layers, example side first.
        activation: name in ``torch.nn``.
        init: of the weights.

    Raises:
        ValueError: a shape, a width or an activation it does not have.
    """

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], activation: str, init: Initialiser) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        widths = [prod(self.shape), *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.output = nn.Linear(widths[-1], 1)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Scores of examples."""
        return self.output(self.body(x.flatten(1))).squeeze(1)


class Encoder(nn.Module):
    """Examples to a Gaussian over latents.

    Args:
        shape: of one example.
        latent_dim: dimension of the latent.
        hidden: widths of the hidden layers, example side first.
        activation: name in ``torch.nn``.
        init: of the weights.

    Raises:
        ValueError: a shape, a width or an activation it does not have.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, hidden: Sequence[int], activation: str, init: Initialiser
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [prod(self.shape), *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.output = nn.Linear(widths[-1], 2 * latent_dim)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n ..."]) -> Independent:
        """The posterior of each example."""
        return diagonal_normal(self.output(self.body(x.flatten(1))))


class Decoder(nn.Module):
    """Latents to the unbounded location of the likelihood.

    Args:
        shape: of one example.
        latent_dim: dimension of the latent.
        hidden: widths of the hidden layers, latent side first.
        activation: name in ``torch.nn``.
        init: of the weights.

    Raises:
        ValueError: a shape, a width or an activation it does not have.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, hidden: Sequence[int], activation: str, init: Initialiser
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [latent_dim, *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.output = nn.Linear(widths[-1], prod(self.shape))
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Locations from latents."""
        return self.output(self.body(z)).unflatten(1, self.shape)

    def start_at(self, mean: Float[Tensor, "*shape"]) -> None:
        """Let the output bias begin at the logit of the mean training image, its pixels in [0, 1]."""
        start_at_(self.output, mean, clip=1e-3)
