r"""Reference features by content: what was extracted once is not extracted again, and a name can never mislead.

.. math:: \text{key} = \mathrm{SHA256}(\text{images}, \text{extractor}, \text{weights}, \text{preprocessing}, n,
    \text{split}, \text{revision})

How a file is written, verified and shared: :mod:`ganvas.storage.store`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import final

from torch import Tensor

from ganvas.data.source import Examples
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.metrics.comparison import radii_of, remember_radii
from ganvas.metrics.neighbours import Radii
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept, Store


@dataclass(frozen=True)
class CacheKey:
    """All that features depend on.

    Args:
        images: content fingerprint of the images, 64 hexadecimal digits.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
        preprocessing: its own words.
        n: number of images.
        split: which part of the data set.
        revision: of the extractor's code in ganvas.
        library: version of torch-fidelity, which holds the networks.
    """

    images: str
    extractor: str
    weights_hash: str
    preprocessing: str
    n: int
    split: str
    revision: int
    library: str

    @staticmethod
    def of(extractor: Extractor, *, images: str, n: int, split: str) -> CacheKey:
        """The key of what ``extractor`` would say about some images under the present revision.

        Args:
            extractor: who extracts.
            images: content fingerprint of the images.
            n: number of images.
            split: which part of the data set.

        Returns:
            The key.
        """
        e = extractor
        library = version("torch-fidelity")
        return CacheKey(images, e.name, e.weights_hash, e.preprocessing, n, split, e.revision, library)

    def digest(self) -> str:
        """SHA-256 of the fields as canonical JSON."""
        return digest(asdict(self))


@final
class FeatureCache:
    """Features in a store.

    Args:
        store: a folder shared by processes.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def features(self, key: CacheKey, compute: Callable[[], Features]) -> Features:
        """The features under a key, from the folder or computed and kept there.

        Args:
            key: what they are of.
            compute: called where the folder has none, or a damaged file.

        Returns:
            The same bits, from wherever they come.

        Raises:
            ValueError: ``compute`` returns another number of images or another extractor's features than the key says.
        """
        kept = self.store.get(key.digest(), lambda: _packed(key, compute()), lambda found: _check(key, found))
        shape = kept.facts["shape"]
        tensors = kept.tensors
        return Features(
            tensors["values"], tensors.get("logits"), key.extractor, key.weights_hash, shape and tuple(shape)
        )


def _packed(key: CacheKey, found: Features) -> Kept:
    """Features that are the key's, as a file holds them."""
    if (found.n, found.extractor, found.weights_hash) != (key.n, key.extractor, key.weights_hash):
        raise ValueError(
            f"key: of {key.n} images by '{key.extractor}' ({key.weights_hash[:8]}), got features of {found.n} by "
            f"'{found.extractor}' ({found.weights_hash[:8]}); make the key with CacheKey.of from what is extracted"
        )
    logits = {} if found.logits is None else {"logits": found.logits}
    return Kept({"values": found.values, **logits}, {"shape": found.shape})


def _check(key: CacheKey, found: Kept) -> None:
    if len(found.tensors["values"]) != key.n or "shape" not in found.facts:
        raise ValueError("its content is not of its key")


@final
@dataclass(frozen=True, eq=False)
class Part:
    """Some of a set of images.

    Args:
        examples: the set.
        index: which of them.
        name: how they were chosen; part of the cache's key.
    """

    examples: Examples
    index: Tensor
    name: str

    def key(self, extractor: Extractor) -> CacheKey:
        """What the features of these images are kept under."""
        return CacheKey.of(extractor, images=self.examples.fingerprint(), n=len(self.index), split=self.name)


def kept_features(cache: Store | None, extractor: Extractor, part: Part, batch_size: int) -> Features:
    """Features of some images, from the cache where it has them.

    Args:
        cache: None computes them.
        extractor: of the features.
        part: the images.
        batch_size: images in one forward.
    """

    def compute() -> Features:
        return extract(extractor, (part.examples.batch(i) for i in part.index.split(batch_size)), batch_size)

    return compute() if cache is None else FeatureCache(cache).features(part.key(extractor), compute)


def know_radii(cache: Store | None, features: Features, key: CacheKey, revisions: Sequence[int], **ks: int) -> None:
    """Give features their neighbours' radii, from the cache where it has them; metrics refuse too few images.

    Args:
        cache: None leaves the radii to the metrics.
        features: of the reference.
        key: what they are kept under.
        revisions: of the metrics that use the radii.
        **ks: numbers of neighbours, as :func:`ganvas.metrics.comparison.radii_of` takes them.
    """
    if cache is None or features.n <= max(ks.values()) or not features.values.isfinite().all():
        return
    of = {"what": "radii", "real": key.digest(), "revisions": list(revisions), **ks}
    kept = cache.get(digest(of), lambda: Kept(dict(vars(radii_of(features, **ks))), {}))
    remember_radii(features, **ks, known=Radii(**kept.tensors))
