"""The choices that a score's value depends on, beside the images and the extractor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricSettings:
    """Settings of the metrics; the config states all of them, and the protocol records them.

    Args:
        is_splits: parts that the images are shuffled into for the Inception Score, at least 1 (the papers: 10).
        kid_subsets: pairs of subsets drawn for the kernel distance, at least 1 (the paper: 100).
        kid_subset_size: images in one subset, at least 2; fewer where a side has fewer (the paper: 1000).
        prc_neighbours: k of precision and recall, at least 1 (the paper and torch-fidelity: 3).
        dc_neighbours: k of density and coverage, at least 1 (the paper and prdc: 5).
        fd_infinity_points: sample counts that the line of FD-infinity goes through, at least 3 (the paper: 15).
        fd_infinity_share: smallest of those counts as a share of all, in (0, 1) (the paper: 5,000 of 50,000, 0.1).
        seed: of the shuffle and of the subsets, 0 or more (torch-fidelity: 2020). Not the seed of the samples.

    Raises:
        ValueError: a value out of range.
    """

    is_splits: int
    kid_subsets: int
    kid_subset_size: int
    prc_neighbours: int
    dc_neighbours: int
    fd_infinity_points: int
    fd_infinity_share: float
    seed: int

    def __post_init__(self) -> None:
        least = {"is_splits": 1, "kid_subsets": 1, "kid_subset_size": 2, "seed": 0}
        least |= {"prc_neighbours": 1, "dc_neighbours": 1, "fd_infinity_points": 3}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name}: expected at least {bound}, got {getattr(self, name)}; raise it to {bound}")
        if not 0 < self.fd_infinity_share < 1:
            raise ValueError(f"fd_infinity_share: expected a share in (0, 1), got {self.fd_infinity_share}; write 0.1")
