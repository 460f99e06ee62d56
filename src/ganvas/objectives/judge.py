"""The critic as objectives and constraints see it in one turn of one player: a function from examples to scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from ganvas.types import Judged


@final
class Judge:
    """A critic of examples of the turn's classes, behind the turn's augmentation.

    What it said of a tensor is kept: asked again for the same object, it returns the same scores, with their graph.

    Args:
        network: the critic, in which a constraint may keep its state.
        look: maps examples to what the critic says of them.
    """

    def __init__(self, network: nn.Module, look: Callable[[Tensor], Judged]) -> None:
        self.network = network
        self._look = look
        self._said: list[tuple[Tensor, Judged]] = []

    def __call__(self, x: Tensor) -> Tensor:
        """Score examples."""
        return self.judged(x).scores

    def judged(self, x: Tensor) -> Judged:
        """Score examples, and return features and further outputs too, if the critic shows them.

        Args:
            x: examples, shape ``(n, *shape)``.
        """
        for seen, said in self._said:
            if seen is x:
                return said
        self._said.append((x, self._look(x)))
        return self._said[-1][1]


def network_of(score: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return the network behind a judge, or the critic itself if it is a network.

    Args:
        score: a :class:`Judge` or a network.

    Raises:
        ValueError: it is neither.
    """
    network = score.network if isinstance(score, Judge) else score
    if not isinstance(network, nn.Module):
        raise ValueError(f"critic: got {type(score).__name__}, expected a Judge or a network, which can keep a state")
    return network
