r"""The smallest game: a generator that makes one point, and a linear critic.

.. math:: G_\theta(z) = \theta, \qquad D_\psi(x) = \psi \cdot x.

On data that are a single point, the equilibrium is :math:`\theta` at that point and :math:`\psi = 0`, and the training
can be followed with pencil and paper.

Reference: Mescheder et al. 2018, definition 2.1, https://arxiv.org/abs/1801.04406
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import any_shape, is_points, refusal
from ganvas.types import Shape

NAME = "dirac"


def _points(shape: Sequence[int]) -> Shape:
    if not is_points(any_shape(NAME, shape)):
        raise refusal(NAME, shape, "points (d,)", "choose points (data=ring), or take network=mlp")
    return tuple(shape)


class Generator(nn.Module):
    r"""Generator of one point, :math:`\theta`, whatever the latent is.

    Args:
        shape: shape of one example, ``(d,)``.
        latent_dim: number of latent dimensions, at least 1; the latent is not read.
        init: fills :math:`\theta` in place, as a weight with d rows and one column.

    Raises:
        ValueError: the data are images.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, init: Initialiser) -> None:
        super().__init__()
        self.shape = _points(shape)
        self.latent_dim = latent_dim
        self.point = nn.Parameter(torch.empty(self.shape[0], 1))
        init(self.point.data)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the point once for each latent."""
        # Copies: a view would show the point of after the generator's step to a critic whose turn comes later.
        return self.point.T.repeat(z.shape[0], 1)


class Critic(FeatureCritic):
    r"""Critic :math:`D_\psi(x) = \psi \cdot x`, without a constant.

    Args:
        shape: shape of one example, ``(d,)``.
        init: fills :math:`\psi` in place.

    Raises:
        ValueError: the data are images.
    """

    def __init__(self, shape: Sequence[int], init: Initialiser) -> None:
        super().__init__()
        self.shape = _points(shape)
        self.output = nn.Linear(self.shape[0], 1, bias=False)
        initialise(self, init)

    def features(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return the examples themselves."""
        return x
