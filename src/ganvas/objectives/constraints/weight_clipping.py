r"""Weight clipping: after each step every parameter of the critic is clipped to an interval.

.. math:: w \leftarrow \min(\max(w, -c), c).

The critic is then Lipschitz, but its constant depends on the architecture and on :math:`c`. The critic's estimate is
therefore the Wasserstein distance times an unknown factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import nn

from ganvas.objectives.constraints.base import Projection
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class WeightClipping(Projection):
    r"""The first WGAN's constraint: :math:`w \leftarrow \mathrm{clip}(w, -c, c)`.

    Reference:
        Arjovsky et al. 2017, algorithm 1, line 7, https://arxiv.org/abs/1701.07875

    Args:
        bound: :math:`c`, positive.

    Raises:
        ValueError: ``bound`` is not positive.
    """

    bound: float
    lipschitz: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.bound > 0, "bound", self.bound, "a positive number", "Use 0.01, the paper's.")

    @torch.no_grad()
    def project(self, critic: nn.Module) -> None:
        """Clip every parameter in place, biases and scales included; those of frozen parts stay as they are."""
        for parameter in critic.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-self.bound, self.bound)
