"""One pass over images for several extractors: a set of images is read, or drawn, once, and each batch passes them all.

Features of references are cached one extractor at a time, under the keys that an extractor alone has. So an extractor
whose features are known takes no part in a pass.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, final

from torch import Tensor

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract_all
from ganvas.scoring.cache import FeatureCache, Part
from ganvas.storage.store import Store

_SAMPLES: Final = "samples"


@final
class OnePass:
    """Features of the images of one measurement.

    Features that another extractor has not asked for yet are kept until it does.

    Args:
        extractors: all extractors of the measurement; their names differ.
        cache: store of features of references; None computes them.
        batch_size: images in one forward pass.
    """

    def __init__(self, extractors: Sequence[Extractor], cache: Store | None, batch_size: int) -> None:
        self.extractors = tuple(extractors)
        self._cache = None if cache is None else FeatureCache(cache)
        self._batch_size = batch_size
        self._waiting: dict[Hashable, Features] = {}

    def of_samples(self, extractor: Extractor, batches: Iterable[Tensor]) -> Features:
        """Return the features of the scored samples; they are computed for all extractors at the first call.

        Args:
            extractor: one of the extractors, which asks once.
            batches: ``uint8 (n, c, h, w)``, read at the first call only.
        """
        if (extractor.name, _SAMPLES) not in self._waiting:
            self._look(self.extractors, batches, [(e.name, _SAMPLES) for e in self.extractors])
        return self._waiting.pop((extractor.name, _SAMPLES))

    def of_reference(self, extractor: Extractor, part: Part) -> Features:
        """Return the features of some images of the reference, from the cache if it has them.

        Args:
            extractor: one of the extractors.
            part: the images.
        """
        key = part.key(extractor)

        def compute() -> Features:
            if key not in self._waiting:
                lacking = [e for e in self.extractors if e is extractor or not self._is_known(e, part)]
                self._look(lacking, part.batches(self._batch_size), [part.key(e) for e in lacking])
            return self._waiting.pop(key)

        return compute() if self._cache is None else self._cache.features(key, compute)

    def _is_known(self, extractor: Extractor, part: Part) -> bool:
        key = part.key(extractor)
        return key in self._waiting or (self._cache is not None and self._cache.store.holds(key.digest()))

    def _look(self, extractors: Sequence[Extractor], batches: Iterable[Tensor], keys: Sequence[Hashable]) -> None:
        self._waiting |= dict(zip(keys, extract_all(extractors, batches, self._batch_size), strict=True))
