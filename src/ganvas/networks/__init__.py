"""Networks: generators, critics, encoders and decoders, sizes explicit; priors; packing; range; warm start."""

from ganvas.networks.packing import Packed as Packed
from ganvas.networks.unit_range import UnitRange as UnitRange
from ganvas.networks.warm_start import load_parts as load_parts

__all__ = ["Packed", "UnitRange", "load_parts"]
