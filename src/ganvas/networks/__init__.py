"""Networks: generators, critics, encoders and decoders with explicit sizes, and wrappers around them."""

from ganvas.networks.conditional import LabelledCritic as LabelledCritic
from ganvas.networks.conditional import LabelledDecoder as LabelledDecoder
from ganvas.networks.conditional import LabelledEncoder as LabelledEncoder
from ganvas.networks.conditional import LabelledGenerator as LabelledGenerator
from ganvas.networks.conditional import ProjectionCritic as ProjectionCritic
from ganvas.networks.critic import FeatureCritic as FeatureCritic
from ganvas.networks.packing import Packed as Packed
from ganvas.networks.recognising import Recognising as Recognising
from ganvas.networks.unit_range import UnitRange as UnitRange

__all__ = [
    "FeatureCritic",
    "LabelledCritic",
    "LabelledDecoder",
    "LabelledEncoder",
    "LabelledGenerator",
    "Packed",
    "ProjectionCritic",
    "Recognising",
    "UnitRange",
]
