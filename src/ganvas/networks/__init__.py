"""Networks: generators, critics, encoders and decoders, sizes explicit; packing; range."""

from ganvas.networks.packing import Packed as Packed
from ganvas.networks.unit_range import UnitRange as UnitRange

__all__ = ["Packed", "UnitRange"]
