r"""DP-SGD: a critic that learns little from any single training example, by a proven bound.

The gradient of each real example, with that of the generated example beside it, is clipped to norm :math:`C`, and noise
is added to the sum over the batch of :math:`n`:

.. math:: \tilde g = \frac1n \Big( \sum_i g_i \min(1, C / \|g_i\|) + \sigma C\, \epsilon \Big), \qquad
    \epsilon \sim N(0, I).

The critic alone sees real examples, so a generator that learns from it is as private as the critic. After :math:`T`
updates with the share :math:`q` of the examples in each, training is :math:`(\varepsilon, \delta)`-differentially
private; :math:`\varepsilon` is computed by opacus from Rényi divergences.

Reference: Abadi et al. 2016, algorithm 1, https://arxiv.org/abs/1607.00133; for GANs Xie et al. 2018,
https://arxiv.org/abs/1802.06739; the accountant: Mironov et al. 2019, https://arxiv.org/abs/1908.10530.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.constraints.base import Constraint, Score
from ganvas.objectives.validation import require


class PrivacyError(ValueError):
    """A training that cannot be made differentially private as it is configured, or without opacus."""

    exit_code = 2


@final
@dataclass(frozen=True)
class DPSGD(Constraint):
    r"""A bound on what the critic's update may take from each example; the model clips and adds noise.

    Args:
        clip: :math:`C`, largest norm of an example's gradient, positive.
        noise: :math:`\sigma`, standard deviation of the noise in units of ``clip``, positive.
        delta: :math:`\delta`, probability that the bound does not hold, in (0, 1), well below one over the number of
            training examples.

    Raises:
        ValueError: a number is out of range.
    """

    clip: float
    noise: float
    delta: float
    lipschitz: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.clip > 0, "clip", self.clip, "a positive number", "Use 1.0.")
        require(self.noise > 0, "noise", self.noise, "a positive number", "Use 1.0.")
        require(0 < self.delta < 1, "delta", self.delta, "a number between 0 and 1", "Use 1e-5.")

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""

    def epsilon(self, updates: int, share: float) -> float:
        r"""Compute :math:`\varepsilon` by opacus, for examples that are drawn independently for each batch.

        Args:
            updates: :math:`T`, critic updates.
            share: :math:`q`, share of the training examples in a batch, in (0, 1].
        """
        require_opacus()
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, share, updates)]
        return float(accountant.get_epsilon(delta=self.delta))


def require_opacus() -> None:
    """Refuse without opacus.

    Raises:
        PrivacyError: it is not installed.
    """
    if find_spec("opacus") is None:
        raise PrivacyError("constraint=dp_sgd: opacus is not installed; pip install opacus")
