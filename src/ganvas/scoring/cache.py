r"""Cache of reference features. The key is a hash of content, so that a name cannot stand for different images.

.. math:: \text{key} = \mathrm{SHA256}(\text{images}, \text{extractor}, \text{weights}, \text{preprocessing}, n,
    \text{split}, \text{revision})

:mod:`ganvas.storage.store` writes, verifies and shares the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import final

from torch import Tensor

from ganvas.data.source import Examples
from ganvas.display import counted
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.metrics.comparison import radii_of, remember_radii
from ganvas.metrics.neighbours import Radii
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept, Store


@dataclass(frozen=True)
class CacheKey:
    """Everything that features depend on.

    Args:
        images: content fingerprint of the images, 64 hexadecimal digits.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
        preprocessing: the extractor's description of its preprocessing.
        n: number of images.
        split: split of the data set.
        revision: revision of the extractor's code in ganvas.
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
        """Make the key of features of some images by the extractor's present revision.

        Args:
            extractor: extractor of the features.
            images: content fingerprint of the images, 64 hexadecimal digits.
            n: number of images.
            split: split of the data set.
        """
        e = extractor
        library = version("torch-fidelity")
        return CacheKey(images, e.name, e.weights_hash, e.preprocessing, n, split, e.revision, library)

    def digest(self) -> str:
        """SHA-256 of the fields as canonical JSON."""
        return digest(asdict(self))


@final
class FeatureCache:
    """Features kept in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def features(self, key: CacheKey, compute: Callable[[], Features]) -> Features:
        """Read the features stored under a key, or compute and store them.

        Args:
            key: key of the features.
            compute: called if the store has no such file, or a damaged one.

        Returns:
            Features, with the same bits whether they were read or computed.

        Raises:
            ValueError: number of images or extractor of the computed features differ from the key.
        """
        kept = self.store.get(key.digest(), lambda: _packed(key, compute()), lambda found: _check(key, found))
        shape = kept.facts["shape"]
        tensors = kept.tensors
        return Features(
            tensors["values"], tensors.get("logits"), key.extractor, key.weights_hash, shape and tuple(shape)
        )


def _packed(key: CacheKey, found: Features) -> Kept:
    """Check that features belong to the key, and convert them to the content of a file."""
    if (found.n, found.extractor, found.weights_hash) != (key.n, key.extractor, key.weights_hash):
        raise ValueError(
            f"key: of {key.n} images by '{key.extractor}' ({key.weights_hash[:8]}), got features of {found.n} by "
            f"'{found.extractor}' ({found.weights_hash[:8]}); make the key with CacheKey.of from what is extracted"
        )
    logits = {} if found.logits is None else {"logits": found.logits}
    return Kept({"values": found.values, **logits}, {"shape": found.shape})


def _check(key: CacheKey, found: Kept) -> None:
    if len(found.tensors["values"]) != key.n or "shape" not in found.facts:
        raise ValueError("its content does not belong to its key")


@final
@dataclass(frozen=True, eq=False)
class Part:
    """A part of a set of images.

    Args:
        examples: the whole set.
        index: positions of the images in the set.
        name: how the images were chosen; part of the cache's key.
    """

    examples: Examples
    index: Tensor
    name: str

    def key(self, extractor: Extractor) -> CacheKey:
        """Cache key of the features of these images."""
        return CacheKey.of(extractor, images=self.examples.fingerprint(), n=len(self.index), split=self.name)

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the images in batches, and show how many have been read."""
        batches = (self.examples.batch(i) for i in self.index.split(batch_size))
        yield from counted("reference images looked at", batches, len(self.index))


def kept_features(cache: Store | None, extractor: Extractor, part: Part, batch_size: int) -> Features:
    """Return features of some images, from the cache if it has them.

    Args:
        cache: the store; None computes the features.
        extractor: extractor of the features.
        part: the images.
        batch_size: images in one forward pass.
    """

    def compute() -> Features:
        return extract(extractor, part.batches(batch_size), batch_size)

    return compute() if cache is None else FeatureCache(cache).features(part.key(extractor), compute)


def know_radii(cache: Store | None, features: Features, key: CacheKey, revisions: Sequence[int], **ks: int) -> None:
    """Store the neighbours' radii with the features, read from the cache if it has them.

    Nothing is done for too few images or features that are not finite: the metrics raise their own error.

    Args:
        cache: the store; None leaves the computation of radii to the metrics.
        features: features of the reference.
        key: cache key of ``features``.
        revisions: revisions of the metrics that use the radii.
        **ks: numbers of neighbours, as :func:`ganvas.metrics.comparison.radii_of` takes them.
    """
    if cache is None or features.n <= max(ks.values()) or not features.values.isfinite().all():
        return
    of = {"what": "radii", "real": key.digest(), "revisions": list(revisions), **ks}
    kept = cache.get(digest(of), lambda: Kept(dict(vars(radii_of(features, **ks))), {}))
    remember_radii(features, **ks, known=Radii(**kept.tensors))
