r"""Packing: a discriminator that judges :math:`m` examples of one source together.

.. math:: D(x_1, \dots, x_m), \qquad x_i \text{ all real or all generated},

where the examples are concatenated along the channels. Mode collapse is easier to see in a pack than in one example.

Reference: Lin et al. 2018, section 2, https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Packed(nn.Module):
    r"""A critic of packs of ``pack`` consecutive examples.

    It returns one score for each pack. Its ``shape`` is that of a single example, as for any other critic.

    Args:
        critic: critic for ``pack`` times the channels of an image, or ``pack`` times the coordinates of a point.
        pack: degree of packing :math:`m \ge 1`.

    Raises:
        ValueError: a degree below 1, or one that does not divide the critic's channels.
    """

    def __init__(self, critic: nn.Module, pack: int) -> None:
        super().__init__()
        channels, *size = critic.shape  # type: ignore[misc]
        if pack < 1 or channels % pack:
            expected = f"a divisor of the critic's {channels} channels"
            fix = "build the critic with pack times the data's channels (shape: ${critic_shape:})"
            raise ValueError(f"argument `pack` is {pack}; expected {expected}. Fix: {fix}.")
        self.critic = critic
        self.pack = pack
        self.shape = (channels // pack, *size)

    def forward(self, x: Float[Tensor, "n c ..."]) -> Float[Tensor, " m"]:
        """Score packs; there are ``m = n / pack``."""
        if x.shape[0] % self.pack:
            fix = "choose a batch size that is a multiple of it and drop the last incomplete batch"
            raise ValueError(f"a batch of {x.shape[0]} cannot be split into packs of {self.pack}. Fix: {fix}.")
        return self.critic(x.reshape(-1, self.pack * x.shape[1], *x.shape[2:]))
