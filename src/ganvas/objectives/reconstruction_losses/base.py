r"""The base of reconstruction losses: a distance between images that stands in the place of :math:`-\log p(x \mid z)`.

.. math:: \ell(x, \hat x) = w \, d(x, \hat x) + v \sum_j |x_j - \hat x_j|, \qquad \hat x = \tanh(\text{decoder}(z)).

No distribution of images has such a density, so that a model with one bounds no evidence and has no likelihood. The
sum over pixels holds the brightness, which similarities of structure leave free.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.likelihoods.base import Likelihood, sum_coordinates
from ganvas.objectives.validation import require
from ganvas.types import widen


@dataclass(frozen=True)
class ReconstructionLoss(ABC):
    """Abstract: a distance of decoded images from the true ones.

    Args:
        weight: w, positive.
        pixel_weight: v, the weight of the absolute differences of pixels on the [-1, 1] scale, at least 0.

    Raises:
        ValueError: a weight is out of range.
    """

    weight: float
    pixel_weight: float

    def __post_init__(self) -> None:
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 1.")
        require(self.pixel_weight >= 0, "pixel_weight", self.pixel_weight, "at least 0", "Use 0 for none.")

    @abstractmethod
    def distance(self, x: Float[Tensor, "n c h w"], decoded: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute d of each image, at least 0.

        Args:
            x: images in [0, 1].
            decoded: the decoded images, in [0, 1].

        Raises:
            ValueError: images of a size or of channels that the distance cannot read.
        """

    def __call__(self, x: Float[Tensor, "n c h w"], location: Float[Tensor, "*k n c h w"]) -> Float[Tensor, "*k n"]:
        """Compute the loss of each image.

        Args:
            x: images in [-1, 1].
            location: the decoder's output for n latents, or for k times n.
        """
        require(x.ndim == 4, "data", f"examples of shape {tuple(x.shape[1:])}", "images", "Choose a likelihood.")
        decoded = widen(location).tanh()
        true = widen(x).expand_as(decoded)
        flat, made = ((images.reshape(-1, *x.shape[1:]) + 1) / 2 for images in (true, decoded))
        distance = self.distance(flat, made).unflatten(0, decoded.shape[: decoded.ndim - 3])
        return self.weight * distance + self.pixel_weight * sum_coordinates((true - decoded).abs(), x)

    def mean(self, location: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Compute the decoded images, in [-1, 1].

        Args:
            location: the decoder's output.
        """
        return location.tanh()


def fidelity(
    part: Likelihood | ReconstructionLoss,
    x: Float[Tensor, " n *shape"],
    location: Float[Tensor, " ..."],
    log_scale: Float[Tensor, " *c"] | None,
) -> Float[Tensor, "*k n"]:
    """Compute how well examples are decoded: the log-likelihood, in nats, or minus the loss.

    Args:
        part: likelihood or loss.
        x: examples in [-1, 1].
        location: the decoder's output.
        log_scale: the model's learned scale; None without one.
    """
    if isinstance(part, Likelihood):
        return part.log_prob(x, location, log_scale)
    return -part(x, location)
