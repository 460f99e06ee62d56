"""What is asked of a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganvas.extractors.on_disk import Extraction
from ganvas.metrics.base import Settings

BATCH = 250
"""Default number of images in one forward pass of the extractor."""
CEILINGS = ("noise", "one_mode")


@dataclass(frozen=True)
class Asked:
    """Options of a measurement.

    Args:
        settings: settings of all metrics.
        n: number of samples drawn from a model; images from files are all scored.
        seed: seed of the samples.
        batch_size: images in one forward pass of the extractor.
        calibration: whether floor and ceiling of the scores from features are measured.
        ceiling: ``noise``, or ``one_mode``: real images of one class.
        output: folder for pictures and arrays; None writes none.
        on_disk: features of more images than this are kept in files, in float16; None keeps all in memory.
        processes: number of processes that share the images of a set.
    """

    settings: Settings
    n: int
    seed: int
    batch_size: int = BATCH
    calibration: bool = False
    ceiling: str = "noise"
    output: Path | None = None
    on_disk: int | None = None
    processes: int = 1

    @property
    def how(self) -> Extraction:
        """How features are extracted."""
        return Extraction(self.batch_size, self.on_disk, self.processes)

    def __post_init__(self) -> None:
        if self.ceiling not in CEILINGS:
            raise ValueError(f"ceiling={self.ceiling}: expected {' or '.join(CEILINGS)}")
