r"""Path length: a step of fixed size in the latent space should change the image by a fixed amount.

.. math:: \mathbb{E}_{w,\, y \sim N(0, I)} \big( \|J_w^\top y\|_2 - a \big)^2, \qquad
    J_w = \partial G(w) / \partial w, \qquad a \leftarrow a + \beta\, (\overline{\|J_w^\top y\|_2} - a).

:math:`w` is the style of a generator that has styles (:class:`~ganvas.types.Styled`), and the latent of any other. The
noise :math:`y` is divided by the square root of the number of pixels, so that lengths do not depend on it. With a style
for each layer, the squared lengths are averaged over the layers. Of a batch in parts
(:mod:`ganvas.models.accumulation`), each part moves the mean :math:`a`, as in the authors' program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.objectives.regularisers.base import LazyRegulariser
from ganvas.objectives.validation import require
from ganvas.processes import over_processes
from ganvas.types import Conditional, Styled, widen

MEAN = "path_length_mean"


@final
@dataclass(frozen=True)
class PathLength(LazyRegulariser):
    r"""StyleGAN2's path length regularisation, on the first half of the latents, as in the authors' program.

    The running mean :math:`a` is a buffer of the generator, which checkpoints keep; it starts at 0 and has no gradient.

    Reference:
        Karras et al. 2020, eq. 4 and appendix B, https://arxiv.org/abs/1912.04958

    Args:
        weight: :math:`\lambda`, positive.
        every: the term is added at every ``every``-th generator update; at least 1.
        decay: :math:`\beta`, share of the present lengths in the running mean, in (0, 1].

    Raises:
        ValueError: a number is out of range.
    """

    decay: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.decay <= 1, "decay", self.decay, "a number in (0, 1]", "Use 0.01.")

    def prepare(self, generator: nn.Module) -> None:
        """Register the running mean as a buffer of the generator."""
        generator.register_buffer(MEAN, torch.zeros(()))

    def term(self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, ""]:
        """Move the running mean, and compute the mean squared distance of the lengths from it."""
        half = (len(z) + 1) // 2
        lengths = path_lengths(generator, z[:half], None if y is None else y[:half])
        mean = generator.get_buffer(MEAN)
        with torch.no_grad():
            mean.lerp_(over_processes(lengths.mean()).to(mean.dtype), self.decay)
        return (lengths - mean).square().mean()


def path_lengths(generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n"]:
    r"""Compute :math:`\|J_w^\top y\|_2` for each latent, with a graph to the generator's parameters.

    It is computed without autocast, as half precision is too coarse for a squared difference of lengths.

    Args:
        generator: the network.
        z: latents.
        y: class of each, if the generator is conditional.
    """
    with torch.autocast(z.device.type, enabled=False):
        w, examples = _examples(generator, widen(z.detach()), y)
        noise = torch.randn_like(examples) / math.sqrt(examples[0, 0].numel())
        (gradient,) = torch.autograd.grad((examples * noise).sum(), w, create_graph=True)
        return gradient.square().sum(-1).reshape(len(w), -1).mean(1).sqrt()


def _examples(generator: nn.Module, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
    """Generate examples from what lengths are measured in; returns both."""
    if isinstance(generator, Styled):
        w = generator.style(z, y)
        w = w if w.requires_grad else w.requires_grad_()  # frozen styles have no graph
        return w, generator.synthesise(w)
    z = z.requires_grad_()
    return z, generator(z, y) if isinstance(generator, Conditional) else generator(z)
