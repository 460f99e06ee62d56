r"""InfoGAN: a part of the latent is a code that the critic can read off the generated example.

.. math:: L_I = -\mathbb{E}_{c, z} \log Q(c \mid G(z, c)), \qquad I(c; G(z, c)) \ge H(c) - L_I.

Both players minimise :math:`L_I`, which bounds the mutual information of code and example from below. For a categorical
code :math:`Q` is a softmax; for a continuous one a normal with variance 1, as in the authors' program for digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganvas.latents.codes import Codes
from ganvas.objectives.auxiliary.base import Auxiliary, Scene, require_weight
from ganvas.types import Judged, Prior, widen


@final
@dataclass(frozen=True)
class MutualInformation(Auxiliary):
    r"""InfoGAN's term, :math:`\lambda L_I`, in nats.

    The critic needs one output for each value of each categorical code, and one for each continuous code, in the order
    of the latent; :class:`ganvas.networks.Recognising` gives them.

    Reference:
        Chen et al. 2016, eq. 5 and 6, https://arxiv.org/abs/1606.03657

    Args:
        weight: :math:`\lambda`, positive; 1 in the paper for categorical codes.
        codes: the prior of the latent, which says where the codes stand.

    Raises:
        ValueError: ``weight`` is not positive, or the prior has no codes.
    """

    weight: float
    codes: Prior

    def __post_init__(self) -> None:
        require_weight(self.weight)
        if not isinstance(self.codes, Codes):
            raise ValueError(f"codes: got the prior {type(self.codes).__name__}, which has none; write prior=codes")

    @property
    def _prior(self) -> Codes:
        assert isinstance(self.codes, Codes)
        return self.codes

    @property
    def recognised(self) -> int:
        """Number of coordinates of the latent that are codes."""
        return self._prior.dim - self._prior.noise

    def critic_term(self, scene: Scene) -> Float[Tensor, ""]:
        """Compute the term at generated examples, for the outputs that recognise the codes."""
        return self.weight * self._surprise(scene.fake, scene.z)

    def generator_term(self, scene: Scene) -> Float[Tensor, ""]:
        """Compute the same term for the generator."""
        return self.weight * self._surprise(scene.fake, scene.z)

    def _surprise(self, judged: Judged, z: Tensor) -> Tensor:
        assert judged.recognised is not None
        said, meant = widen(judged.recognised), z[:, self._prior.noise :]
        sizes = [*self._prior.categorical, self._prior.continuous]
        *said_classes, said_means = said.split(sizes, dim=1)
        *meant_classes, meant_values = meant.split(sizes, dim=1)
        pairs = zip(said_classes, meant_classes, strict=True)
        squares = (meant_values - said_means).square() + log(2 * pi)
        return sum((cross_entropy(a, b) for a, b in pairs), start=0.5 * squares.sum(1).mean())
