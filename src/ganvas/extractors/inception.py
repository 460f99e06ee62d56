"""The 2015 TensorFlow Inception in torch-fidelity's port; ``fid``, ``is`` and ``kid`` are defined on its features.

Reference: Heusel et al. 2017, section 4, https://arxiv.org/abs/1706.08500; port and weights:
https://github.com/toshas/torch-fidelity.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from ganvas.extractors.base import ColourExtractor, Extracted
from ganvas.extractors.checksum import WeightsError, sha256, verify
from ganvas.extractors.inception_fast import DESCRIPTION, make_fast
from ganvas.extractors.resizers import RESIZERS, resizer_called

WEIGHTS_SHA256: Final = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""SHA-256 of the file at torch-fidelity's URL; the file's name ends with the first eight digits."""
WITHOUT_WEIGHTS: Final = (
    "extractor=mnist (28x28 grey images), extractor=cifar10 (32x32 colour images), "
    "extractor=random (any images; ranks models of one data set), extractor=custom (your own network; "
    "conf/extractor/random.yaml is an example), extractor=none (no such scores)"
)
"""Extractors that need no download, each with what it is for."""
PREPROCESSING: Final = RESIZERS["tensorflow"].preprocessing
LAYERS: Final = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
)
"""torch-fidelity's layers, from the resized image to the features."""
_NO_STATE_DICT: Final = "is not a state dict of torch-fidelity's InceptionV3; null downloads the weights"


def download() -> Path:
    """Download the 2015 weights to torch's hub folder if absent, and verify them every time.

    Returns:
        Path of the verified file.

    Raises:
        WeightsError: the download failed, or the file is not the pinned one.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rsplit("/", 1)[-1]
    if not path.exists():
        _fetch(path)
    fix = f"Delete {path} and try again, or give a local copy with extractor.weights=PATH."
    verify(path.read_bytes(), WEIGHTS_SHA256, what=f"Inception weights {path}", fix=fix)
    return path


def _fetch(path: Path) -> None:
    """Download to a temporary file and move it to ``path`` when it is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=WEIGHTS_SHA256[:8])
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"extractor 'inception': downloading {URL_INCEPTION_V3} failed ({error}). Connect to the internet, or "
            "fetch that file elsewhere and give it with extractor.weights=PATH. Without these weights there are: "
            f"{WITHOUT_WEIGHTS}."
        ) from error


def local(path: Path) -> Path:
    """Check that a user's file is a plain state dict, since torch-fidelity would run any code pickled in it.

    Args:
        path: file written by ``torch.save(state_dict)``.

    Returns:
        The same path.

    Raises:
        ValueError: the file does not exist, or is not a plain state dict.
    """
    if not path.is_file():
        raise ValueError(
            f"extractor.weights: expected a file, got {path}, which is not a file; null downloads the weights"
        )
    try:
        tensors = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        raise ValueError(f"extractor.weights: {path} {_NO_STATE_DICT} ({type(error).__name__})") from error
    if not isinstance(tensors, dict):
        raise ValueError(f"extractor.weights: {path} {_NO_STATE_DICT} ({type(tensors).__name__})")
    return path


def opened(weights: str | None, layers: Sequence[str]) -> tuple[FeatureExtractorInceptionV3, str]:
    """Build the network, and warn of weights that are not those of 2015.

    Args:
        weights: path of a local state dict; None downloads the 2015 weights once.
        layers: torch-fidelity's names of the outputs.

    Returns:
        The network, and the SHA-256 of the weights' file.
    """
    path = download() if weights is None else local(Path(weights).expanduser())
    network, weights_hash = _network(path, layers), sha256(path.read_bytes())
    if weights_hash != WEIGHTS_SHA256:
        warnings.warn(
            f"extractor.weights={weights} (SHA-256 {weights_hash[:8]}...) are not the 2015 Inception weights "
            f"({WEIGHTS_SHA256[:8]}...): these scores are not comparable with published FID, IS or KID",
            stacklevel=3,
        )
    return network, weights_hash


def _network(path: Path, layers: Sequence[str]) -> FeatureExtractorInceptionV3:
    """Build torch-fidelity's network without consuming the global random state by its initialisation."""
    try:
        with torch.random.fork_rng(devices=[]):
            return FeatureExtractorInceptionV3(
                "inception-v3-compat", list(layers), feature_extractor_weights_path=str(path)
            )
    except RuntimeError as error:
        raise ValueError(f"extractor.weights: {path} {_NO_STATE_DICT} ({str(error)[:300]})") from error


@final
class InceptionExtractor(ColourExtractor):
    """Pool features (2048) of the 2015 Inception, and its logits (1008) without the last bias.

    Args:
        weights: path of a local state dict; None downloads the 2015 weights once. Weights other than those of 2015 are
            accepted with a warning; their scores have a different weights hash and so a different fingerprint.
        resizer: name of a resizer in :mod:`ganvas.extractors.resizers`; it is part of a score's protocol.
        precision: ``float32`` runs torch-fidelity's network as it is; ``bfloat16`` is
            :mod:`ganvas.extractors.inception_fast`, and is part of a score's protocol.

    Raises:
        WeightsError: the download failed, or its SHA-256 is not the pinned one.
        ValueError: there is no such resizer or precision, or ``weights`` is not a state dict of this network.
    """

    name = "inception"
    num_features = 2048
    num_classes = 1008

    # Configs recorded before there were these arguments lack them, and mean the defaults.
    def __init__(self, weights: str | None, resizer: str = "tensorflow", precision: str = "float32") -> None:
        super().__init__()
        if precision not in ("float32", "bfloat16"):
            raise ValueError(
                f"precision: expected float32 (torch-fidelity's network as it is) or bfloat16 (faster on processors, "
                f"scores of their own), got '{precision}'; choose one of them"
            )
        self.resize = resizer_called(resizer)
        self.preprocessing = self.resize.preprocessing
        self.model, self.weights_hash = opened(weights, ("2048", "logits_unbiased"))
        if precision == "bfloat16":
            make_fast(self.model, LAYERS)
            self.preprocessing = f"{self.preprocessing}; {DESCRIPTION}"

    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Compute features ``(n, 2048)`` and logits ``(n, 1008)``."""
        x = self.resize(images)
        for name in LAYERS:
            x = self.model.get_submodule(name)(x)
        features = x.flatten(1)
        return features, features.mm(self.model.fc.weight.T)

    def spatial(self) -> nn.Module:
        """Return the last layer of 8x8 places, TensorFlow's mixed_10, as in the paper on heat maps."""
        return self.model.get_submodule("Mixed_7c")
