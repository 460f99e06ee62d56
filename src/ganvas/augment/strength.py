r"""A probability that follows the critic: it rises while the critic overfits to the real examples, and falls otherwise.

.. math:: r_t = \mathbb{E}[\operatorname{sign} D(x)], \qquad
    p \leftarrow \min(\max(p + \operatorname{sign}(r_t - r^*)\, b / N,\; 0),\; 1),

where :math:`r_t` is the mean sign of the scores of real examples over the last four updates, :math:`b` the number of
images that these updates showed, and :math:`N` the number of images in which :math:`p` goes from 0 to 1 at most. A sign
says something only where 0 is the border between real and generated, as in the logit of a GAN's discriminator.

Reference: Karras et al. 2020, section 3, https://arxiv.org/abs/2006.06676. The authors' program lets :math:`p` grow
above 1, which acts as 1.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.processes import over_processes

EVERY = 4
"""Number of updates between two moves of p."""


@final
class Strength(nn.Module):
    """The probability ``p`` of an augmentation; all of its state is in buffers, which checkpoints keep.

    Args:
        p: where it starts, in [0, 1].
        target: :math:`r^*`, the mean sign at which it stands still, between -1 and 1.
        images: :math:`N`, images in which it can go from 0 to 1, positive.
    """

    p: Tensor
    signs: Tensor
    observed: Tensor
    shown: Tensor

    def __init__(self, p: float, target: float, images: int) -> None:
        super().__init__()
        self.target = target
        self.images = images
        self.register_buffer("p", torch.tensor(float(p)))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("observed", torch.zeros(()))
        self.register_buffer("shown", torch.zeros(()))

    @torch.no_grad()
    def observe(self, scores: Float[Tensor, " n"], images: int) -> None:
        """Take in the real scores of one critic update; every fourth call moves ``p``.

        No value leaves the device, so that a GPU does not have to wait.

        Args:
            scores: scores of the real examples of this process, as the critic gave them in the update.
            images: images that the update showed, over all processes.
        """
        self.signs += over_processes(scores.float().sign().mean())
        self.observed += 1
        self.shown += images
        due = self.observed >= EVERY
        move = (self.signs / self.observed - self.target).sign() * self.shown / self.images
        self.p.copy_(torch.where(due, (self.p + move).clamp(0, 1), self.p))
        for count in (self.signs, self.observed, self.shown):
            count.masked_fill_(due, 0)
