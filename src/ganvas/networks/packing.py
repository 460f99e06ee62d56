r"""Packing: a discriminator that judges :math:`m` examples of one source together.

.. math:: D(x_1, \dots, x_m), \qquad x_i \text{ all real or all generated},

where the examples are concatenated along the channels. Mode collapse is easier to see in a pack than in one example.
The examples of a pack are of any classes, so a conditional critic sees pairs :math:`(x_i, y_i)`: it is a
:class:`~ganvas.networks.LabelledCritic` around the pack, which gives each example the channels of its own class.

Reference: Lin et al. 2018, section 2, https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.critic import judged
from ganvas.types import Conditional, Judged, Ranged


class Packed(nn.Module):
    r"""A critic of packs of ``pack`` consecutive examples.

    It returns one score for each pack. Its ``shape`` is that of a single example, as for any other critic.

    Args:
        critic: critic for ``pack`` times the channels of an image, or ``pack`` times the coordinates of a point.
        pack: degree of packing :math:`m \ge 1`.

    Raises:
        ValueError: a degree below 1, or one that does not divide the critic's channels, or a conditional critic.
    """

    def __init__(self, critic: nn.Module, pack: int) -> None:
        super().__init__()
        if isinstance(critic, Conditional):
            raise ValueError(
                f"argument `critic` is a {type(critic).__name__}, which takes one class, and a pack has {pack}; "
                "expected a plain critic. Fix: put the pack inside: LabelledCritic(Packed(critic, pack), labels)."
            )
        channels, *size = critic.shape  # type: ignore[misc]
        if pack < 1 or channels % pack:
            expected = f"a divisor of the critic's {channels} channels"
            fix = "build the critic with pack times the data's channels (shape: ${critic_shape:})"
            raise ValueError(f"argument `pack` is {pack}; expected {expected}. Fix: {fix}.")
        self.critic = critic
        self.pack = pack
        self.zero = critic.zero if isinstance(critic, Ranged) else 0.0
        self.shape = (channels // pack, *size)

    def forward(self, x: Float[Tensor, "n c ..."]) -> Float[Tensor, " m"]:
        """Score packs; there are ``m = n / pack``."""
        return self.critic(self._packs(x))

    def read(self, x: Float[Tensor, "n c ..."], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score packs, and return what the critic shows of each; ``y`` is without effect."""
        return judged(self.critic, self._packs(x))

    def _packs(self, x: Tensor) -> Tensor:
        if x.shape[0] % self.pack:
            fix = "choose a batch size that is a multiple of it and drop the last incomplete batch"
            raise ValueError(f"a batch of {x.shape[0]} cannot be split into packs of {self.pack}. Fix: {fix}.")
        return x.reshape(-1, self.pack * x.shape[1], *x.shape[2:])
