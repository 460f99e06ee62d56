"""Formats of files of reference statistics: moments, or the features of each image.

- ``pytorch_fid``: ``.npz`` of ``mu`` and ``sigma``; also clean-fid's, EDM's, and that of ganvas, which says more;
- ``clean_fid_kid``: ``*_kid.npz`` of ``feats``, which clean-fid writes beside its ``mu`` and ``sigma``;
- ``torch_fidelity``: ``NAME-EXTRACTOR-stat-fid-LAYER.pt`` of its cache, ``mu`` and ``sigma``;
- ``torch_fidelity_features``: ``NAME-EXTRACTOR-features-LAYER.pt`` of its cache, a tensor;
- ``edm2``: ``.pkl`` of ``mu`` and ``sigma`` below ``fid`` and ``fd_dinov2``;
- ``stylegan``: ``.pkl`` of sums over images, or of features, in the cache of StyleGAN2-ADA's and StyleGAN3's metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from io import BytesIO
from typing import Any, Final, final

import numpy as np
import torch

from ganvas.extractors.inception import PREPROCESSING
from ganvas.extractors.resize import IMAGENET, RESIZES, RGB
from ganvas.scoring.statistics_format import Exported, Format, Held
from ganvas.storage.plain_pickle import write_plain_pickle

_EDM2: Final = f"{RGB}; {RESIZES['edm2'].how.format(224)}"
_IMAGENET: Final = f"(u / 255 - {list(IMAGENET[0])}) / {list(IMAGENET[1])}"
DINOV2: Final = {
    "dinov2": f"dinov2-vit-l-14 dinov2; {_EDM2}; the network's own mean and deviation",
    "dinov2_large": f"vit_large_patch14_dinov2.lvd142m token; {_EDM2}; {_IMAGENET}",
}
"""What EDM2 does to images before DINOv2 ViT-L/14, by extractor: the same network from two libraries."""
TENSOR: Final = "tensor"
"""Key of what a ``.pt`` file holds that is one tensor."""
_ON_TF1_GRID: Final[Mapping[str, str]] = {"inception": PREPROCESSING}


@final
class PytorchFid(Format):
    """``mu`` and ``sigma`` in an ``.npz``; ganvas adds what makes up a protocol, which other tools ignore.

    Reference: ``save_fid_stats`` in ``src/pytorch_fid/fid_score.py``, https://github.com/mseitzer/pytorch-fid at
    b9c1811; ``make_custom_stats`` in ``cleanfid/fid.py``, https://github.com/GaParmar/clean-fid at e88c4d6; ``ref`` in
    ``fid.py``, https://github.com/NVlabs/edm at 008a4e5.
    """

    name, pattern, preprocessing = "pytorch_fid", "*.npz", {}

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return {"mu", "sigma"} <= keys

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        said = {key: str(found[key]) for key in ("extractor", "weights_hash", "preprocessing") if key in found}
        return Held(
            mu=found["mu"],
            sigma=found["sigma"],
            n=int(found["n"]) if "n" in found else None,
            extractor=said.get("extractor"),
            weights_hash=said.get("weights_hash"),
            preprocessing=said.get("preprocessing"),
        )

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        return _npz(
            mu=made.mu,
            sigma=made.sigma,
            n=np.array(made.features.n),
            extractor=np.array(made.features.extractor),
            weights_hash=np.array(made.features.weights_hash),
            preprocessing=np.array(made.preprocessing),
            images=np.array(made.images),
        )


@final
class CleanFidKid(Format):
    """Features of each image in an ``.npz``, which clean-fid writes for its KID.

    Reference: ``make_custom_stats`` in ``cleanfid/fid.py``, https://github.com/GaParmar/clean-fid at e88c4d6.
    """

    name, pattern, preprocessing = "clean_fid_kid", "*_kid.npz", {}

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return "feats" in keys

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        return Held(features=found["feats"])

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        return _npz(feats=made.features.values.numpy())


@final
class TorchFidelity(Format):
    """Moments in torch-fidelity's cache: a dict of NumPy's arrays, written by ``torch.save``.

    Reference: ``fid_featuresdict_to_statistics_cached`` in ``torch_fidelity/metric_fid.py``,
    https://github.com/toshas/torch-fidelity at 5e211a9.
    """

    name, pattern, preprocessing = "torch_fidelity", "*.pt", _ON_TF1_GRID

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return {"mu", "sigma"} <= keys

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        return Held(mu=found["mu"], sigma=found["sigma"], preprocessing=self.preprocessing.get(extractor))

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        return _torch({"mu": made.mu, "sigma": made.sigma})


@final
class TorchFidelityFeatures(Format):
    """Features of each image in torch-fidelity's cache: a tensor, written by ``torch.save``.

    Reference: ``extract_featuresdict_from_input_id_cached`` in ``torch_fidelity/utils.py``,
    https://github.com/toshas/torch-fidelity at 5e211a9.
    """

    name, pattern, preprocessing = "torch_fidelity_features", "*-features-*.pt", _ON_TF1_GRID

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return keys == {TENSOR}

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        return Held(features=found[TENSOR], preprocessing=self.preprocessing.get(extractor))

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        return _torch(made.features.values.clone())


@final
class Edm2(Format):
    """Moments below the names of EDM2's metrics, in a pickle; its code reads EDM's ``.npz`` too.

    Reference: ``calculate_stats_for_iterable`` and ``load_stats`` in ``calculate_metrics.py``,
    https://github.com/NVlabs/edm2 at 4bf8162.
    """

    name, pattern, preprocessing = "edm2", "*.pkl", {**_ON_TF1_GRID, **DINOV2}
    metrics: Final = {"inception": "fid", **dict.fromkeys(DINOV2, "fd_dinov2")}
    """EDM2's metrics by name of the extractor."""

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return bool(keys & set(self.metrics.values()))

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        if self.metrics.get(extractor) not in found:
            raise ValueError(
                f"expected statistics of extractor={extractor}, got {', '.join(sorted(found))}; EDM2's fid is of "
                "extractor=inception, its fd_dinov2 of extractor=dinov2 extractor.resizer=edm2"
            )
        moments = found[self.metrics[extractor]]
        return Held(
            mu=moments["mu"],
            sigma=moments["sigma"],
            n=found.get("num_images"),
            preprocessing=self.preprocessing[extractor],
        )

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        extractor = made.features.extractor
        if extractor not in self.metrics:
            raise ValueError(f"export_format=edm2 knows {', '.join(self.metrics)}, got extractor={extractor}")
        moments = {"mu": made.mu, "sigma": made.sigma}
        return write_plain_pickle({"num_images": made.features.n, self.metrics[extractor]: moments})


@final
class StyleGan(Format):
    r"""Sums over images, or features of each image, in the cache of the metrics of StyleGAN2-ADA and StyleGAN3.

    .. math:: \mu = \tfrac 1n s, \qquad \Sigma = \tfrac{1}{n - 1} (S - n \mu \mu^\top)

    from the sums :math:`s = \sum x` and :math:`S = \sum x x^\top`. StyleGAN itself divides by n. Features are read
    where there are any. Both are written.

    Reference: ``FeatureStats`` in ``metrics/metric_utils.py``, https://github.com/NVlabs/stylegan3 at c233a91 and
    https://github.com/NVlabs/stylegan2-ada-pytorch at d72cc7d.
    """

    name, pattern, preprocessing = "stylegan", "*-inception-2015-12-05-*.pkl", _ON_TF1_GRID

    def holds(self, keys: Set[str]) -> bool:
        """See :class:`Format`."""
        return {"num_items", "raw_mean", "raw_cov", "all_features"} <= keys

    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """See :class:`Format`."""
        n, preprocessing = found["num_items"], self.preprocessing.get(extractor)
        if found["all_features"]:
            return Held(features=np.concatenate(found["all_features"]), n=n, preprocessing=preprocessing)
        mu = found["raw_mean"] / n
        sigma = (found["raw_cov"] - n * np.outer(mu, mu)) / (n - 1)
        return Held(mu=mu, sigma=sigma, n=n, preprocessing=preprocessing)

    def write(self, made: Exported) -> bytes:
        """See :class:`Format`."""
        values = made.features.values.numpy()
        exact = values.astype(np.float64)
        n, d = values.shape
        return write_plain_pickle(
            {
                "capture_all": True,
                "capture_mean_cov": True,
                "max_items": n,
                "num_items": n,
                "num_features": d,
                "all_features": [values],
                "raw_mean": exact.sum(axis=0),
                "raw_cov": exact.T @ exact,
            }
        )


FORMATS: Final[tuple[Format, ...]] = (
    PytorchFid(),
    CleanFidKid(),
    TorchFidelity(),
    TorchFidelityFeatures(),
    Edm2(),
    StyleGan(),
)


def _npz(**arrays: np.ndarray) -> bytes:
    content = BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _torch(content: Any) -> bytes:
    file = BytesIO()
    torch.save(content, file)
    return file.getvalue()
