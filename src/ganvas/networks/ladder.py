r"""Chains of groups of latents: the ladder VAE, and the hierarchical VAE whose posterior goes from the bottom up.

Both generate by the same chain, from the top group down to the example. Here :math:`i` counts from the bottom, as in
the paper. Every distribution is a normal with independent coordinates, whose mean is linear in the last layer of an MLP
and whose variance is a softplus of it:

.. math:: p(z_L) = N(0, I), \qquad p(z_i \mid z_{i+1}) = N(\mu_{p,i}(z_{i+1}), \sigma_{p,i}^2(z_{i+1})), \qquad
    p(x \mid z_1).

The hierarchical VAE infers by :math:`q(z_1 \mid x)` and :math:`q(z_{i+1} \mid z_i)`. In the ladder VAE a
deterministic pass goes up, :math:`d_i = \text{MLP}(d_{i-1}), d_0 = x`. What it says of a group is merged on the way
down with what the groups above say:

.. math:: \sigma_{q,i}^2 = \frac{1}{\hat\sigma_i^{-2} + \sigma_{p,i}^{-2}}, \qquad
    \mu_{q,i} = \sigma_{q,i}^2 \big(\hat\mu_i\, \hat\sigma_i^{-2} + \mu_{p,i}\, \sigma_{p,i}^{-2}\big).

Reference: Sønderby et al. 2016, equations 1 to 7 (the chain, and inference from the bottom up) and 11 to 18 (the
ladder), https://arxiv.org/abs/1602.02282.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import softplus

from ganvas.latents.hierarchy import merged, normal, placed, standard_normal
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.mlp import layers
from ganvas.networks.shapes import any_shape, location_shape
from ganvas.types import Draw, Group, Inferred, widen

NAME = "ladder"
LEAST_VARIANCE = 1e-6
"""Added to each variance, so that a precision is finite."""
Pick = Callable[[int, Normal], Tensor]
"""Chooses the latents of a group, counted from 0 at the top, where its prior is known."""


class _Gaussian(nn.Module):
    """A normal whose mean and variance are linear in the last layer of an MLP.

    Args:
        inputs: number of inputs.
        hidden: width of each hidden layer.
        outputs: number of coordinates.
        depth: number of hidden layers, at least 0.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        batch_norm: whether the hidden layers are normalised.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, depth: int, activation: str, batch_norm: bool) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * depth]
        self.body = layers(widths, activation, batch_norm)
        self.output = nn.Linear(widths[-1], 2 * outputs)

    def forward(self, h: Float[Tensor, "m a"]) -> Normal:
        """Compute the normals."""
        return self.normal_of(self.body(h))

    def normal_of(self, d: Float[Tensor, "m b"]) -> Normal:
        """Compute the normals from the last hidden layer."""
        mean, variance = widen(self.output(d)).chunk(2, 1)
        return normal(mean, (softplus(variance) + LEAST_VARIANCE).sqrt())


class _Chain(nn.Module, ABC):
    """Base of :class:`Ladder` and :class:`BottomUp`: the chain that generates, and the MLPs of the way up."""

    def __init__(
        self,
        shape: Sequence[int],
        groups: Sequence[int],
        hidden: Sequence[int],
        depth: int,
        activation: str,
        batch_norm: bool,
        init: Initialiser,
        likelihood: object,
        carried: Sequence[int],
    ) -> None:
        super().__init__()
        if not 0 < len(groups) == len(hidden) or min(*groups, *hidden, depth + 1) < 1:
            raise ValueError(
                f"groups={list(groups)}, hidden={list(hidden)}, depth={depth}: expected a width of at least 1 for each "
                "group, and a depth of at least 0; write groups=[16,64] hidden=[256,512] depth=2"
            )
        self.shape = any_shape(NAME, shape)
        self.groups = tuple(groups)
        self.location = location_shape(self.shape, likelihood)
        mlp = partial(_Gaussian, depth=depth, activation=activation, batch_norm=batch_norm)
        self.priors = nn.ModuleList(map(mlp, groups, hidden, groups[1:]))
        widths = [groups[-1], *[hidden[-1]] * depth]
        self.body = layers(widths, activation, batch_norm)
        self.output = nn.Linear(widths[-1], prod(self.location))
        self.evidence = nn.ModuleList(map(mlp, [*carried[1:], prod(self.shape)], hidden, groups))
        initialise(self, init)

    @abstractmethod
    def infer(self, x: Float[Tensor, "n ..."], k: int, draw: Draw) -> Inferred:
        """Draw the latents of each example k times, see :class:`ganvas.types.Hierarchy`."""

    def forward(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Generate from the noise of all groups, the top group first."""
        parts = noise.split(self.groups, 1)
        return self._descend(parts[0], lambda group, prior: placed(parts[group], prior))

    @final
    def _descend(self, top: Float[Tensor, "m d"], pick: Pick) -> Float[Tensor, "m ..."]:
        """Go from the top down to the output.

        Args:
            top: a tensor of the shape of the top group.
            pick: chooses the latents of each group.
        """
        z = pick(0, standard_normal(top))
        for group, prior in enumerate(self.priors, 1):
            z = pick(group, prior(z))
        return self.output(self.body(z)).unflatten(1, self.location)


@final
class Ladder(_Chain):
    """The ladder VAE: what an example says of a group is merged with what the groups above say.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        groups: number of latents of each group, the top group first.
        hidden: width of the two MLPs between a group and what is below it, for each group, the top group first.
        depth: number of hidden layers of each MLP, at least 0.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        batch_norm: whether the hidden layers are normalised.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: lists of different lengths, a width below 1, a shape of neither points nor images, or an unknown
            activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        groups: Sequence[int],
        hidden: Sequence[int],
        depth: int,
        activation: str,
        batch_norm: bool,
        init: Initialiser,
        likelihood: object,
    ) -> None:
        passed = hidden if depth else [prod(shape)] * len(hidden)
        super().__init__(shape, groups, hidden, depth, activation, batch_norm, init, likelihood, carried=passed)

    def infer(self, x: Float[Tensor, "n ..."], k: int, draw: Draw) -> Inferred:
        """Go up once, and down k times."""
        said = self._ascend(x.flatten(1), k)
        groups: list[Group] = []

        def pick(group: int, prior: Normal) -> Tensor:
            # Nothing is above the top group, so that its posterior is what the example says.
            posterior = merged(said[group], prior) if group else said[group]
            z = draw(posterior)
            groups.append(Group(prior, posterior, z, follows=True))
            return z

        return Inferred(self._descend(said[0].loc, pick), tuple(groups))

    def _ascend(self, d: Float[Tensor, "n a"], k: int) -> list[Normal]:
        """Compute what the examples say of each group, the top group first, k times over."""
        said: list[Normal] = []
        levels: list[Any] = [*self.evidence]
        for level in reversed(levels):
            d = level.body(d)
            here = level.normal_of(d)
            said.insert(0, normal(here.loc.repeat(k, 1), here.scale.repeat(k, 1)))
        return said


@final
class BottomUp(_Chain):
    """The hierarchical VAE: each group is inferred from the draw of the group below.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        groups: number of latents of each group, the top group first.
        hidden: width of the two MLPs between a group and what is below it, for each group, the top group first.
        depth: number of hidden layers of each MLP, at least 0.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        batch_norm: whether the hidden layers are normalised.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: lists of different lengths, a width below 1, a shape of neither points nor images, or an unknown
            activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        groups: Sequence[int],
        hidden: Sequence[int],
        depth: int,
        activation: str,
        batch_norm: bool,
        init: Initialiser,
        likelihood: object,
    ) -> None:
        super().__init__(shape, groups, hidden, depth, activation, batch_norm, init, likelihood, carried=groups)

    def infer(self, x: Float[Tensor, "n ..."], k: int, draw: Draw) -> Inferred:
        """Go up k times, by draws, then down to the priors of the draws."""
        found = self._ascend(x.flatten(1), k, draw)
        groups: list[Group] = []

        def pick(group: int, prior: Normal) -> Tensor:
            posterior, z = found[group]
            groups.append(Group(prior, posterior, z, follows=group == 0))  # only the prior of the top has no draw
            return z

        return Inferred(self._descend(found[0][1], pick), tuple(groups))

    def _ascend(self, x: Float[Tensor, "n a"], k: int, draw: Draw) -> list[tuple[Normal, Tensor]]:
        """Draw the groups from the bottom up; return posteriors and draws, the top group first."""
        *above, lowest = self.evidence
        first = lowest(x)
        posterior = normal(first.loc.repeat(k, 1), first.scale.repeat(k, 1))
        found = [(posterior, draw(posterior))]
        for level in reversed(above):
            posterior = level(found[0][1])
            found.insert(0, (posterior, draw(posterior)))
        return found
