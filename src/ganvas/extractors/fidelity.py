"""DINOv2, CLIP and VGG16 as extractors, from torch-fidelity; images are resized as it does or as other tools do.

Reference: Stein et al. 2023 (scores on DINOv2 agree better with human judgement),
https://arxiv.org/abs/2306.04675; implementation: https://github.com/toshas/torch-fidelity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torchvision.transforms.functional import normalize

from ganvas.extractors.base import ColourExtractor, Extracted
from ganvas.extractors.checksum import WeightsError, state_sha256
from ganvas.extractors.inception import WITHOUT_WEIGHTS, local
from ganvas.extractors.resize import IMAGENET, RGB, resize_called

COLOURS: Final = {
    "dinov2": IMAGENET,
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "vgg16": IMAGENET,
}
"""Mean and standard deviation of the colours, in [0, 1], by family of networks."""
FAMILIES: Final = tuple(COLOURS)
_LAYERS: Final[Mapping[str, Callable[[Any, Float[Tensor, "n 3 h w"]], Tensor]]] = {
    "dinov2": lambda network, x: network(x),
    "clip": lambda network, x: network.visual(x),
    "fc2": lambda network, x: network(x),
    "fc2_relu": lambda network, x: network(x).relu(),
}
"""By the name of the features, how torch-fidelity computes them from prepared images."""


def _network(model: str, layer: str, weights: str | None) -> Any:
    """Build torch-fidelity's network without consuming the global random state by its initialisation."""
    family = model.split("-", 1)[0]
    path = None if weights is None else str(_LOCAL[family](Path(weights).expanduser()))
    try:
        with torch.random.fork_rng(devices=[]):
            return FEATURE_EXTRACTORS_REGISTRY[model](
                model, [layer], feature_extractor_weights_path=path, verbose=False
            )
    except OSError as error:
        raise WeightsError(
            f"extractor.model={model}: downloading its weights failed ({error}). Connect to the internet, or give a "
            f"local copy with extractor.weights=PATH (clip, vgg16). Without these weights there are: {WITHOUT_WEIGHTS}."
        ) from error
    except (RuntimeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"extractor.weights={weights}: cannot be read as weights of '{model}' ({str(error)[:300]}); "
            "null downloads the weights"
        ) from error


def _no_local(path: Path) -> Path:
    raise ValueError(
        f"extractor.weights: torch-fidelity's DINOv2 takes no local file, got {path}; null downloads it through "
        "torch.hub (a copy in torch's hub folder is used), or export it to TorchScript and use extractor=custom"
    )


def _archive(path: Path) -> Path:
    """Check that CLIP's weights are a file; they are a TorchScript archive, and loading it runs no Python code."""
    if not path.is_file():
        raise ValueError(
            f"extractor.weights: expected a file, got {path}, which is not a file; null downloads the weights"
        )
    return path


_LOCAL: Final = {"dinov2": _no_local, "clip": _archive, "vgg16": local}


@final
class FidelityExtractor(ColourExtractor):
    """Features of a network of torch-fidelity. They have no class logits, so there is no Inception Score.

    Args:
        model: name in torch-fidelity: ``dinov2-vit-l-14``, ``clip-vit-b-32``, ``vgg16``, ...
        layer: name of the features: ``dinov2``, ``clip``, ``fc2_relu``.
        weights: path of local weights (clip: TorchScript archive; vgg16: state dict); None downloads them.
        resizer: name of a way to resize in :mod:`ganvas.extractors.resize`; it is part of a score's protocol.

    Raises:
        WeightsError: the download failed.
        ValueError: the model, the layer or the resizer does not exist, or the model cannot read the weights.
    """

    num_classes = None

    # Configs recorded before there were resizers lack the last argument, and mean torch-fidelity's.
    def __init__(self, model: str, layer: str, weights: str | None, resizer: str = "tensorflow") -> None:
        super().__init__()
        offered = [name for name in FEATURE_EXTRACTORS_REGISTRY if name.split("-", 1)[0] in FAMILIES]
        if model not in offered:
            raise ValueError(f"model: expected one of {', '.join(offered)}, got '{model}'; choose one of these")
        layers = FEATURE_EXTRACTORS_REGISTRY[model].get_provided_features_list()
        if layer not in layers:
            raise ValueError(f"layer: '{model}' offers {', '.join(layers)}, got '{layer}'; choose one of these")
        self.name, self.layer, self.resize = model.split("-", 1)[0], layer, resize_called(resizer)
        self.model = _network(model, layer, weights).requires_grad_(False).eval()
        self.weights_hash = state_sha256(self.model)
        self.size: int = getattr(self.model, "resolution", None) or self.model.INPUT_IMAGE_SIZE
        how = self.resize.how.format(self.size)
        self.preprocessing = f"{model} {layer}; {RGB}; {how}; the network's own mean and deviation"
        with torch.inference_mode():
            self.num_features = self.extract_rgb(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))[0].shape[1]

    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Compute features ``(n, d)``; there are no logits."""
        mean, std = ([255 * x for x in numbers] for numbers in COLOURS[self.name])
        x = normalize(self.resize(images.float(), self.size), mean, std)
        return _LAYERS[self.layer](self.model.model, x), None

    def spatial(self) -> nn.Module | None:
        """Return the first convolution, since torch-fidelity's networks take no gradient to the pixels."""
        return next((layer for layer in self.model.modules() if isinstance(layer, nn.Conv2d)), None)
