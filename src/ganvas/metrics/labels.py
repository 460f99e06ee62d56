"""Classes of samples and of the reference, for metrics of conditional models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from jaxtyping import Int64
from torch import Tensor

if TYPE_CHECKING:
    from ganvas.extractors.base import Extractor


class Unsuited(ValueError):
    """A metric does not apply to this subject, reference or extractor; a metric of the standard ones is left out."""


@final
@dataclass(frozen=True, eq=False)
class Labels:
    """Classes of both sides, in the numbering of the reference.

    Args:
        fake: class that each sample was asked for.
        real: class of each image of the reference.
        names: names of all classes of the reference.
    """

    fake: Int64[Tensor, " n"]
    real: Int64[Tensor, " m"]
    names: tuple[str, ...]

    @property
    def asked(self) -> list[int]:
        """The classes that samples were asked for, each once, ascending."""
        return [int(c) for c in self.fake.unique()]

    def conditions(self) -> dict[str, Any]:
        """Facts of a score's protocol: labels of the reference, which its fingerprint lacks, classes and counts."""
        labels = hashlib.sha256(self.real.numpy().tobytes()).hexdigest()
        return {"labels": labels, "classes": self.asked, "n_real": len(self.real), "n_fake": len(self.fake)}


def read_by(extractor: Extractor) -> Mapping[str, Any]:
    """Facts of a score's protocol: the extractor of the features or logits."""
    return {
        "extractor": extractor.name,
        "weights_hash": extractor.weights_hash,
        "preprocessing": extractor.preprocessing,
    }
