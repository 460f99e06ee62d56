r"""LeCam: scores of real examples are kept near the usual score of generated ones, and the other way round.

.. math:: R = \mathbb{E}_x \max(0, D(x) - \alpha_F)^2 + \mathbb{E}_z \max(0, \alpha_R - D(G(z)))^2,

where :math:`\alpha_R` and :math:`\alpha_F` are moving averages of the mean scores of real and of generated examples,

.. math:: a \leftarrow \gamma a + (1 - \gamma)\, \bar D, \qquad \alpha = a / (1 - \gamma^t),

after :math:`t` updates, the present one included; of a batch in parts (:mod:`ganvas.models.accumulation`), each part
counts as one, as in the authors' program. With few training examples it keeps the critic from separating them
from the generated ones without limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.constraints.base import Penalty, Score, without_graph
from ganvas.objectives.judge import network_of
from ganvas.objectives.validation import require
from ganvas.processes import over_processes
from ganvas.types import widen

AVERAGES = ("lecam_real", "lecam_fake")
COUNT = "lecam_count"


@final
@dataclass(frozen=True)
class LeCam(Penalty):
    r"""LeCam regularisation; its averages are buffers of the critic, which checkpoints keep.

    The paper's equation has no maxima, the authors' programs do. Both are the same while the critic gives real examples
    higher scores than generated ones.

    Reference:
        Tseng et al. 2021, eqs. 8 and 9, https://arxiv.org/abs/2104.03310

    Args:
        weight: :math:`\lambda`, positive.
        every: averages are moved and the penalty is added at every ``every``-th critic update; at least 1.
        decay: :math:`\gamma`, in (0, 1).

    Raises:
        ValueError: a number is out of range.
    """

    decay: float
    lipschitz: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.decay < 1, "decay", self.decay, "a number between 0 and 1", "Use 0.99.")

    def prepare(self, critic: nn.Module) -> None:
        """Register the averages and their number of updates as buffers of the critic."""
        for name in (*AVERAGES, COUNT):
            critic.register_buffer(name, torch.zeros(()))

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Move the averages, and compute the squared distances beyond them."""
        on_real, on_fake = widen(critic(without_graph(real))), widen(critic(without_graph(fake)))
        usual_real, usual_fake = self._moved(network_of(critic), on_real.mean(), on_fake.mean())
        return (on_real - usual_fake).relu().square().mean() + (usual_real - on_fake).relu().square().mean()

    @torch.no_grad()
    def _moved(self, network: nn.Module, *means: Tensor) -> list[Tensor]:
        """Move both averages, and return them without the pull of their start at 0."""
        count = network.get_buffer(COUNT).add_(1)
        averages = [network.get_buffer(name) for name in AVERAGES]
        for average, mean in zip(averages, means, strict=True):
            average.lerp_(over_processes(mean).to(average.dtype), 1 - self.decay)
        return [average / (1 - self.decay**count) for average in averages]
