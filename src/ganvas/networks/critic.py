r"""The base of critics whose score is linear in the features of an example.

.. math:: D(x) = w \cdot h(x) + b
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.types import Judged, Shape


class FeatureCritic(nn.Module, ABC):
    r"""Abstract: a critic :math:`D(x) = w \cdot h(x) + b` with one score for each example.

    A wrapper adds other outputs of the same features to it, such as a class or a code.

    Attributes:
        shape: shape of one example.
        output: :math:`w` and :math:`b`, a layer with one output.
    """

    shape: Shape
    output: nn.Linear

    @abstractmethod
    def features(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
        """Compute :math:`h(x)`.

        Args:
            x: examples, shape ``(n, *shape)``.
        """

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Score examples."""
        return self.output(self.features(x)).squeeze(1)

    def read(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples, and return their features too.

        Args:
            x: examples, shape ``(n, *shape)``.
            y: without effect: the critic is not conditional.
        """
        features = self.features(x)
        return Judged(self.output(features).squeeze(1), features)
