"""Networks: generators, critics, encoders and decoders with explicit sizes, and wrappers around them."""

from ganvas.networks.critic import FeatureCritic as FeatureCritic
from ganvas.networks.packing import Packed as Packed
from ganvas.networks.unit_range import UnitRange as UnitRange

__all__ = ["FeatureCritic", "Packed", "UnitRange"]
