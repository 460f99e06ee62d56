r"""A masked autoregressive flow fitted to codes by maximum likelihood.

.. math:: \log \hat q(z) = \log N(f(u); 0, I) + \log \Big| \det \frac{\partial f}{\partial u} \Big|
    - \sum_j \log s_j, \qquad u = (z - m) / s, \qquad f = f_T \circ \dots \circ f_1,

with mean m and standard deviation s of the codes, and the maps :math:`f_t` of MAF
(:mod:`ganvas.latents.autoregressive`). At the start f is the identity. The density takes one pass of each masked
network, a draw one pass for each coordinate.

Reference: Papamakarios et al. 2017, section 3, https://arxiv.org/abs/1705.07057 (without batch normalisation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.latents.autoregressive import WhiteningMap
from ganvas.latents.priors import Normal
from ganvas.latents.samplers.base import LatentSampler, Scale, check_numbers, descend


@final
class FittedFlow(nn.Module):
    """Distribution whose image under the maps is N(0, I).

    Args:
        scale: mean and standard deviation of the codes.
        maps: number of maps, at least 1.
        hidden: widths of the hidden layers of each masked network.
    """

    def __init__(self, scale: Scale, maps: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.scale = scale
        self.dim = len(scale.mean)
        self.maps = nn.ModuleList(WhiteningMap(self.dim, 0, hidden, i % 2 == 1) for i in range(maps))

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        noise, log_det = self.scale.unit(z), -self.scale.deviation.log().sum().to(z)
        for each in self.maps:
            noise, own = each(noise, None)
            log_det = log_det + own
        return Normal(self.dim).log_prob(noise) + log_det

    @torch.no_grad()
    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents; they are computed on the CPU, where the flow was fitted.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        z = Normal(self.dim).sample(n, device=device, generator=generator).cpu()
        maps: list[Any] = list(self.maps)
        for each in reversed(maps):
            z, _ = each.solve(z, None)
        return self.scale.back(z).to(device)


@final
@dataclass(frozen=True)
class MAFSampler(LatentSampler):
    """Fits a masked autoregressive flow.

    Args:
        images: see the base class.
        seed: see the base class.
        maps: number of maps, at least 1.
        hidden: widths of the hidden layers of each masked network.
        steps: steps of Adam, at least 1.
        batch_size: codes in a step, at least 1.
        lr: first step size, positive.

    Raises:
        ValueError: an argument out of range.
    """

    revision: ClassVar[int] = 1

    maps: int
    hidden: Sequence[int]
    steps: int
    batch_size: int
    lr: float

    def __post_init__(self) -> None:
        check_numbers(self, ("maps", "steps", "batch_size"), ("lr",))

    @property
    def name(self) -> str:
        """See :attr:`LatentSampler.name`."""
        return "maf"

    def fit(self, codes: Float[Tensor, "n d"]) -> FittedFlow:
        """Fit the flow.

        Args:
            codes: one of each training image.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            flow = FittedFlow(Scale.of(codes), self.maps, self.hidden)
            weights = flow.parameters()
            descend(lambda z: -flow.log_prob(z).mean(), weights, codes, self.steps, self.batch_size, self.lr)
        return flow.requires_grad_(False).eval()
