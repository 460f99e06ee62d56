"""One pass over images for several extractors: a set of images is read, or drawn, once, and each batch passes them all.

Features of references are cached one extractor at a time, under the keys that an extractor alone has. So an extractor
whose features are known takes no part in a pass. Features that are kept in files, or extracted by several processes,
are those of one extractor at a time, each of which reads the images itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, final

from ganvas.display import counted
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract_all
from ganvas.extractors.images import Images, Selected
from ganvas.extractors.on_disk import Extraction, extracted
from ganvas.scoring.cache import LOOKED, FeatureCache, Part, kept_features
from ganvas.storage.store import Store

_SAMPLES: Final = "samples looked at"


@final
class OnePass:
    """Features of the images of one measurement.

    Features that another extractor has not asked for yet are kept until it does.

    Args:
        extractors: all extractors of the measurement; their names differ.
        cache: store of features of references; None computes them.
        how: size of a batch, place and number of processes.
    """

    def __init__(self, extractors: Sequence[Extractor], cache: Store | None, how: Extraction) -> None:
        self.extractors = tuple(extractors)
        self._cache, self._how = cache, how
        self._waiting: dict[Hashable, Features] = {}

    def of_samples(self, extractor: Extractor, images: Images) -> Features:
        """Return the features of the scored samples; they are computed for all extractors at the first call.

        Args:
            extractor: one of the extractors, which asks once.
            images: the samples, read at the first call only.
        """
        if self._is_alone(len(images)):
            folder = self._cache.folder if self._cache is not None and self._cache.folder.is_dir() else None
            return extracted(extractor, images, self._how, _SAMPLES, folder)
        if (extractor.name, _SAMPLES) not in self._waiting:
            self._look(self.extractors, images, _SAMPLES, [(e.name, _SAMPLES) for e in self.extractors])
        return self._waiting.pop((extractor.name, _SAMPLES))

    def of_reference(self, extractor: Extractor, part: Part) -> Features:
        """Return the features of some images of the reference, from the cache if it has them.

        Args:
            extractor: one of the extractors.
            part: the images.
        """
        if self._is_alone(len(part.index)):
            return kept_features(self._cache, extractor, part, self._how)
        key = part.key(extractor)

        def compute() -> Features:
            if key not in self._waiting:
                lacking = [e for e in self.extractors if e is extractor or not self._is_known(e, part)]
                self._look(lacking, Selected(part.examples, part.index), LOOKED, [part.key(e) for e in lacking])
            return self._waiting.pop(key)

        return compute() if self._cache is None else FeatureCache(self._cache).features(key, compute)

    def _is_alone(self, n: int) -> bool:
        """Whether a set of ``n`` images is read for one extractor at a time."""
        return len(self.extractors) < 2 or self._how.processes > 1 or self._how.halves(n)

    def _is_known(self, extractor: Extractor, part: Part) -> bool:
        key = part.key(extractor)
        return key in self._waiting or (self._cache is not None and self._cache.holds(key.digest()))

    def _look(self, extractors: Sequence[Extractor], images: Images, what: str, keys: Sequence[Hashable]) -> None:
        batches = counted(what, images.batches(0, len(images), self._how.batch_size), len(images))
        self._waiting |= dict(zip(keys, extract_all(extractors, batches, self._how.batch_size), strict=True))
