r"""The second stage: a small VAE of the codes, with as many latents u as the codes have coordinates.

.. math:: p(z \mid u) = N(z; g(u), \gamma^2 I), \qquad
    \mathcal{L} = \mathrm{KL}(q(u \mid z) \,\|\, N(0, I)) - \mathbb{E}_{q(u \mid z)} \log p(z \mid u).

The codes of a VAE with a small :math:`\gamma` fill their space but are not N(0, I). A VAE without a bottleneck, whose
data fill their space, can learn their distribution exactly (theorem 1), so its own codes are closer to N(0, I). Draws
are :math:`u \sim N(0, I)`, :math:`z \sim p(z \mid u)`. Their density has no closed form.

Encoder and decoder are dense; each gives its input to its last layer too. :math:`\gamma` is learned. The codes are
brought to mean 0 and standard deviation 1 first, which the paper does not do: codes of an autoencoder have any size.

Reference: Dai & Wipf 2019, section 4 and algorithm of section 5, https://arxiv.org/abs/1903.05789.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from ganvas.latents.kl import normal_kl
from ganvas.latents.posteriors import diagonal_normal, moments
from ganvas.latents.samplers.base import LatentSampler, Scale, check_numbers, descend


@final
class WithInput(nn.Module):
    """Dense layers with ReLU; a last layer reads the last of them and the input.

    Args:
        inputs: number of inputs.
        hidden: widths of the layers.
        outputs: number of outputs.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        self.body = nn.Sequential(*(m for pair in itertools.pairwise(widths) for m in (nn.Linear(*pair), nn.ReLU())))
        self.output = nn.Linear(widths[-1] + inputs, outputs)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """Compute the outputs."""
        return self.output(torch.cat([self.body(x), x], dim=1))


@final
class SecondStage(nn.Module):
    """The VAE of the codes; its draws are latents of the first stage.

    Args:
        scale: mean and standard deviation of the codes.
        hidden: widths of the hidden layers of encoder and decoder, the latter in reverse order.
    """

    def __init__(self, scale: Scale, hidden: Sequence[int]) -> None:
        super().__init__()
        self.scale = scale
        self.dim = len(scale.mean)
        self.encoder = WithInput(self.dim, hidden, 2 * self.dim)
        self.decoder = WithInput(self.dim, list(reversed(hidden)), self.dim)
        self.log_gamma = nn.Parameter(torch.zeros(()))

    def loss(self, z: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
        """Compute minus the evidence lower bound of codes from one draw each, nats, mean over codes.

        Args:
            z: codes.
        """
        unit = self.scale.unit(z)
        posterior = diagonal_normal(self.encoder(unit))
        seen = Normal(self.decoder(posterior.rsample()), self.log_gamma.exp(), validate_args=False)
        log_density = Independent(seen, 1, validate_args=False).log_prob(unit) - self.scale.deviation.log().sum()
        return (normal_kl(*moments(posterior)).sum(1) - log_density).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents; they are computed on the CPU, where the second stage was fitted.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        u, noise = (torch.randn(n, self.dim, device=device, generator=generator).cpu() for _ in range(2))
        return self.scale.back(self.decoder(u) + self.log_gamma.exp() * noise).to(device)


@final
@dataclass(frozen=True)
class TwoStageSampler(LatentSampler):
    """Fits a second VAE.

    Args:
        images: see the base class.
        seed: see the base class.
        hidden: widths of the hidden layers of the second encoder.
        steps: steps of Adam, at least 1.
        batch_size: codes in a step, at least 1.
        lr: first step size, positive.

    Raises:
        ValueError: an argument out of range.
    """

    revision: ClassVar[int] = 1

    hidden: Sequence[int]
    steps: int
    batch_size: int
    lr: float

    def __post_init__(self) -> None:
        check_numbers(self, ("steps", "batch_size"), ("lr",))

    @property
    def name(self) -> str:
        """See :attr:`LatentSampler.name`."""
        return "two_stage"

    def fit(self, codes: Float[Tensor, "n d"]) -> SecondStage:
        """Fit the second stage.

        Args:
            codes: one of each training image.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            stage = SecondStage(Scale.of(codes), self.hidden)
            descend(stage.loss, stage.parameters(), codes, self.steps, self.batch_size, self.lr)
        return stage.requires_grad_(False).eval()
