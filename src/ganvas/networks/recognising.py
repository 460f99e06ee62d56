r"""A critic that also recognises: a linear layer on the features that its scores are made from.

.. math:: D(x) = w \cdot h(x) + b, \qquad Q(x) = W h(x) + c,

where :math:`Q` are the logits of classes (AC-GAN) or the parameters of codes (InfoGAN).

Reference: Odena et al. 2017, section 3, https://arxiv.org/abs/1610.09585; Chen et al. 2016, section 6,
https://arxiv.org/abs/1606.03657
"""

from __future__ import annotations

from typing import cast

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.conditional import feature_count
from ganvas.networks.critic import judged
from ganvas.networks.init import glorot_uniform_, initialise
from ganvas.types import Conditional, Critic, Judged


class Recognising(nn.Module):
    """A critic with a further linear layer on its features; the layer starts Glorot uniform.

    Args:
        critic: critic that shows its features and the layer ``output`` that follows them; plain or conditional.
        outputs: number of further outputs, at least 1.

    Raises:
        ValueError: no output, or a critic that shows no features of single examples.
    """

    def __init__(self, critic: Critic, outputs: int) -> None:
        super().__init__()
        if outputs < 1:
            raise ValueError(f"argument `outputs` is {outputs}; expected at least 1. Fix: leave the wrapper out.")
        self.critic = cast(nn.Module, critic)
        self.shape = critic.shape
        self.outputs = outputs
        self.recogniser = nn.Linear(feature_count(critic), outputs)
        initialise(self.recogniser, lambda weight: glorot_uniform_(weight, 1.0))
        if isinstance(critic, Conditional):
            self.classes = critic.classes

    @property
    def output(self) -> nn.Linear:
        """The layer that makes the scores."""
        return cast(nn.Linear, self.critic.output)

    def forward(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
        """Score examples; ``y`` is read by a conditional critic only."""
        return judged(self.critic, x, y).scores

    def read(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples, and return their features and what is recognised."""
        said = judged(self.critic, x, y)
        return Judged(said.scores, said.features, self.recogniser(said.features))
