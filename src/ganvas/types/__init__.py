"""Types that all rooms share: batches, conversions of images, and the protocols of a model and its parts."""

from __future__ import annotations

from ganvas.types.batches import Batch, Shape, to_float, to_uint8, widen
from ganvas.types.latents import (
    LatentDistribution,
    NamesPosterior,
    Posterior,
    PosteriorFamily,
    Prior,
    ReadsEncoder,
    Truncates,
)
from ganvas.types.models import BoundsEvidence, DrawsClasses, Encodes, Reconstructs, Watched
from ganvas.types.networks import (
    Conditional,
    Critic,
    Decoder,
    Encoder,
    Featured,
    Generator,
    Judged,
    Packs,
    Ranged,
    Reads,
    Recognises,
    StartsAtMarginals,
    Styled,
)

__all__ = [
    "Batch",
    "BoundsEvidence",
    "Conditional",
    "Critic",
    "Decoder",
    "DrawsClasses",
    "Encoder",
    "Encodes",
    "Featured",
    "Generator",
    "Judged",
    "LatentDistribution",
    "NamesPosterior",
    "Packs",
    "Posterior",
    "PosteriorFamily",
    "Prior",
    "Ranged",
    "Reads",
    "ReadsEncoder",
    "Recognises",
    "Reconstructs",
    "Shape",
    "StartsAtMarginals",
    "Styled",
    "Truncates",
    "Watched",
    "to_float",
    "to_uint8",
    "widen",
]
