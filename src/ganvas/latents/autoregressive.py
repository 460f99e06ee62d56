r"""Flows by autoregressive maps: IAF, whose draws are fast, and MAF, whose densities are fast.

Both are made of one map, in which each coordinate is scaled and shifted by functions of the earlier ones and of a
context h from the encoder:

.. math:: y_i = e^{s_i} x_i + t_i, \qquad (s_i, t_i) = g_i(x_1, \dots, x_{i-1}, h), \qquad
    \log \Big| \det \frac{\partial y}{\partial x} \Big| = \sum_i s_i.

All :math:`y` are computed at once by a masked network (:mod:`ganvas.latents.made`). The inverse finds one coordinate
after the other: d small products in the place of a large one. The order of the coordinates is reversed from map to map.

- IAF draws by the map, with a gate :math:`\sigma`: :math:`y_i = \sigma_i x_i + (1 - \sigma_i) m_i`. The density of
  points other than its draws needs the inverse.
- MAF draws by the inverse of the map :math:`y_i = (x_i - \mu_i) e^{-\alpha_i}`. So a posterior of this family trains
  slowly; it is here to be compared.

References: Kingma et al. 2016, equations 10 to 15 and algorithm 1, https://arxiv.org/abs/1606.04934; Papamakarios et
al. 2017, equations 3 to 5, https://arxiv.org/abs/1705.07057 (without batch normalisation, which couples examples).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ganvas.latents.flow import FlowPosterior, Inverted, Mapped, Step
from ganvas.latents.made import MADE
from ganvas.latents.posteriors import diagonal_normal
from ganvas.types import widen

Coefficients = tuple[Float[Tensor, " *k"], Float[Tensor, " *k"]]
"""Log-scale and shift of each coordinate."""


class AutoregressiveMap(nn.Module):
    """Abstract: a map of latents that scales and shifts each coordinate by functions of the earlier ones.

    Args:
        dim: dimension d of the latents, at least 1.
        context: number of context values for each example; 0 without.
        hidden: widths of the hidden layers of the masked network.
        backwards: whether the last coordinate is the first of the order.
    """

    def __init__(self, dim: int, context: int, hidden: Sequence[int], backwards: bool) -> None:
        super().__init__()
        self.network = MADE(dim, context, hidden)
        self.backwards = backwards

    @abstractmethod
    def coefficients(self, a: Float[Tensor, " *k"], b: Float[Tensor, " *k"]) -> Coefficients:
        """Compute log-scales and shifts of coordinates from the two outputs of the network for each of them."""

    def forward(self, x: Float[Tensor, "*k d"], context: Float[Tensor, "n c"] | None) -> Mapped:
        """Map latents at once."""
        x = self._ordered(x)
        log_scale, shift = self.coefficients(*self.network(x, context))
        return self._ordered(log_scale.exp() * x + shift), log_scale.sum(-1)

    def solve(self, y: Float[Tensor, "*k d"], context: Float[Tensor, "n c"] | None) -> Mapped:
        """Map latents back, one coordinate after the other; the log-determinant is that of :meth:`forward`."""
        found: list[Tensor] = []
        log_det = y.new_zeros(())
        with torch.autocast(y.device.type, enabled=False):
            turns = self.network.turns(y, context)
            for wanted in self._ordered(y).unbind(-1):
                log_scale, shift = self.coefficients(*(turns.send(found[-1]) if found else next(turns)))
                found.append((wanted - shift) * (-log_scale).exp())
                log_det = log_det + log_scale
        return self._ordered(torch.stack(found, -1)), log_det

    def _ordered(self, z: Tensor) -> Tensor:
        return z.flip(-1) if self.backwards else z


@final
class GatedMap(AutoregressiveMap):
    r"""The map of IAF, :math:`y = \sigma(s + g) x + (1 - \sigma(s + g)) m`.

    Args:
        dim: see the base class.
        context: see the base class.
        hidden: see the base class.
        backwards: see the base class.
        gate: :math:`g`, which keeps the gate open at the start.
    """

    def __init__(self, dim: int, context: int, hidden: Sequence[int], backwards: bool, gate: float) -> None:
        super().__init__(dim, context, hidden, backwards)
        self.gate = gate

    def coefficients(self, a: Float[Tensor, " *k"], b: Float[Tensor, " *k"]) -> Coefficients:
        """Compute log-scales and shifts from mean and gate."""
        return logsigmoid(b + self.gate), torch.sigmoid(-b - self.gate) * a


@final
class WhiteningMap(AutoregressiveMap):
    r"""The map of MAF from latents to noise, :math:`y = (x - \mu) e^{-\alpha}`; at the start the identity.

    Args:
        dim: see the base class.
        context: see the base class.
        hidden: see the base class.
        backwards: see the base class.
    """

    def __init__(self, dim: int, context: int, hidden: Sequence[int], backwards: bool) -> None:
        super().__init__(dim, context, hidden, backwards)
        nn.init.zeros_(self.network.output.weight)

    def coefficients(self, a: Float[Tensor, " *k"], b: Float[Tensor, " *k"]) -> Coefficients:
        """Compute log-scales and shifts from mean and log-deviation."""
        return -b, -a * (-b).exp()


@final
class Contextual(Step):
    """An autoregressive map with the context of each example.

    Args:
        mapping: the map.
        context: of each example; None for a map without.
    """

    def __init__(self, mapping: AutoregressiveMap, context: Float[Tensor, "n c"] | None) -> None:
        self.mapping, self.context = mapping, context

    def forward(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Map latents at once."""
        return self.mapping(z, self.context)

    def inverse(self, z: Float[Tensor, "*k d"]) -> Mapped:
        """Map latents back, one coordinate after the other."""
        return self.mapping.solve(z, self.context)

    def detached(self) -> Contextual:
        """Return the same map with context and weights held constant; it shares the weights."""
        held = copy.deepcopy(self.mapping, {id(weight): weight.detach() for weight in self.mapping.parameters()})
        return Contextual(held, None if self.context is None else self.context.detach())


class AutoregressiveFamily(nn.Module):
    """Abstract: a family whose parameters are those of a diagonal normal, and a context that all maps read.

    Args:
        dim: dimension of the latents.
        context: number of outputs of the encoder that all maps read, at least 1.
        maps: the maps.
    """

    space: ClassVar[str] = "reals"

    def __init__(self, dim: int, context: int, maps: Sequence[AutoregressiveMap]) -> None:
        super().__init__()
        if not maps or context < 1:
            raise ValueError(
                f"maps={len(maps)}, context={context}: expected at least 1 of each; write posterior.maps=2 "
                "posterior.context=64"
            )
        self.dim, self.context = dim, context
        self.maps = nn.ModuleList(maps)

    @abstractmethod
    def step(self, mapping: Contextual) -> Step:
        """Return the map that a draw goes through."""

    def outputs(self, dim: int) -> int:
        """Return the number of parameters: two of each latent, and the context.

        Args:
            dim: dimension of the latents.

        Raises:
            ValueError: the networks were made for another dimension.
        """
        if dim != self.dim:
            raise ValueError(f"posterior.dim: got {self.dim}, expected {dim} as in the encoder; write ${{prior.dim}}")
        return 2 * dim + self.context

    def forward(self, parameters: Float[Tensor, "n p"]) -> FlowPosterior:
        """Make the posterior of each example.

        Args:
            parameters: the encoder's last layer, unbounded. Half precision becomes float32.
        """
        normal, context = widen(parameters).split([2 * self.dim, self.context], dim=-1)
        maps = [each for each in self.maps if isinstance(each, AutoregressiveMap)]
        return FlowPosterior(diagonal_normal(normal), [self.step(Contextual(each, context)) for each in maps])


@final
class InverseAutoregressive(AutoregressiveFamily):
    """Family of inverse autoregressive flows (IAF).

    Args:
        dim: dimension of the latents.
        maps: number of maps, at least 1.
        hidden: widths of the hidden layers of each masked network.
        context: number of outputs of the encoder that all maps read, at least 1.
        gate: added to the gates; the paper has 1 to 2, with which training starts close to the diagonal normal.

    Raises:
        ValueError: a number is below 1.
    """

    def __init__(self, dim: int, maps: int, hidden: Sequence[int], context: int, gate: float) -> None:
        super().__init__(dim, context, [GatedMap(dim, context, hidden, i % 2 == 1, gate) for i in range(maps)])

    def step(self, mapping: Contextual) -> Step:
        """Return the map itself."""
        return mapping


@final
class MaskedAutoregressive(AutoregressiveFamily):
    """Family of masked autoregressive flows (MAF), which draw slowly, see the module's docstring.

    Args:
        dim: dimension of the latents.
        maps: number of maps, at least 1.
        hidden: widths of the hidden layers of each masked network.
        context: number of outputs of the encoder that all maps read, at least 1.

    Raises:
        ValueError: a number is below 1.
    """

    def __init__(self, dim: int, maps: int, hidden: Sequence[int], context: int) -> None:
        super().__init__(dim, context, [WhiteningMap(dim, context, hidden, i % 2 == 1) for i in range(maps)])

    def step(self, mapping: Contextual) -> Step:
        """Return the inverse of the map, which leads from noise to latents."""
        return Inverted(mapping)
