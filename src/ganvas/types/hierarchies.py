"""Hierarchies of latents: several groups, each drawn given the groups above it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal

from ganvas.types.batches import Shape

Draw = Callable[[Normal], Tensor]
"""Draws a group from its posterior; one that returns the mean makes the inference deterministic."""


@final
@dataclass(frozen=True, eq=False)
class Group:
    """Draws of one group of latents, and the two distributions of each draw, whose coordinates are independent.

    Args:
        prior: distribution given the draws of the groups above, ``(m, *group)``.
        posterior: distribution that ``z`` was drawn from, of the same shape.
        z: the draws.
        follows: whether the posterior was made after the groups above were drawn, and so is their conditional. Only
            then does the closed form of the divergence average to the KL of the group.
    """

    prior: Normal
    posterior: Normal
    z: Float[Tensor, "m *group"]
    follows: bool


@final
@dataclass(frozen=True, eq=False)
class Inferred:
    """What a hierarchy infers from some examples.

    Args:
        location: output for each draw, which the likelihood reads.
        groups: the groups, in the order in which examples are generated: the top group first.
    """

    location: Float[Tensor, "m *shape"]
    groups: tuple[Group, ...]


@runtime_checkable
class Grouped(Protocol):
    """What has latents in groups."""

    groups: tuple[int, ...]
    """Number of latents of each group, the top group first."""


@runtime_checkable
class Hierarchy(Grouped, Protocol):
    r"""A network with both directions of a hierarchy: it infers latents from examples, and generates from noise."""

    shape: Shape
    """Shape of one example."""

    def __call__(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, " n *location"]:
        r"""Generate from the noise of all groups, the top group first: :math:`z_g = \mu_g + \sigma_g \varepsilon_g`."""
        ...

    def infer(self, x: Float[Tensor, " n *shape"], k: int, draw: Draw) -> Inferred:
        """Draw the latents of each example k times; row ``i * n + j`` is the draw i for the example j."""
        ...
