r"""LPIPS: the distance of two images in the features of a network that knows photographs.

.. math:: d(x, \hat x) = \sum_l \frac{1}{h_l w_l} \sum_{p} \sum_c w_{lc} \big( y_{lcp} - \hat y_{lcp} \big)^2

with :math:`y_{l \cdot p}` the features of layer l at place p, divided by their length, and weights :math:`w_l \ge 0`
that were fitted to the judgements of people. The network is torchvision's, trained on ImageNet, whose weights are
downloaded once; the weights of the layers come with torchmetrics. Grey images are shown as RGB.

Reference: Zhang et al. 2018, equation 1, https://arxiv.org/abs/1801.03924 (version 0.1 of the authors' weights)
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.extractors.checksum import WeightsError, state_sha256

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation for images in [-1, 1], as the authors round them."""


@final
@dataclass(frozen=True)
class Backbone:
    """A network of torchvision, as LPIPS reads it.

    Args:
        name: name of the network in torchvision.
        layers: numbers of the modules whose outputs are compared.
        least: smallest side of an image that the last of them can read, pixels.
    """

    name: str
    layers: tuple[int, ...]
    least: int


BACKBONES: Final = {
    "alex": Backbone("alexnet", (1, 4, 7, 9, 11), 31),
    "vgg": Backbone("vgg16", (3, 8, 15, 22, 29), 16),
    "squeeze": Backbone("squeezenet1_1", (1, 4, 7, 9, 10, 11, 12), 17),
}


@final
class Perceptual(nn.Module):
    """The distance of images in the features of a network.

    Args:
        net: ``alex``, ``vgg`` or ``squeeze``.
        weights: path of torchvision's state dict of the network; empty takes that in torch's hub folder, which is
            downloaded if it is missing.
        keys: node of the config that has ``net`` and ``weights``, for messages.

    Attributes:
        weights_hash: SHA-256 of the network's weights.

    Raises:
        ValueError: there is no such network, or the file does not hold its weights.
        WeightsError: the download failed.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: str, weights: str, keys: str) -> None:
        super().__init__()
        if net not in BACKBONES:
            raise ValueError(f"{keys}.net={net}: expected {', '.join(BACKBONES)}; write {keys}.net=alex")
        self.net, self.backbone, self.keys = net, BACKBONES[net], keys
        self.features = _features(self.backbone, weights, f"{keys}.weights")
        self.heads = _heads(net)
        self.weights_hash = state_sha256(self.features)
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, made: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute the distance of each image from the one that it should be.

        Args:
            made: images in [0, 1].
            true: the images that they should be, in [0, 1].

        Raises:
            ValueError: the images are too small, or have other channels than one or three.
        """
        if min(true.shape[2:]) < self.backbone.least or true.shape[1] not in (1, 3):
            raise ValueError(
                f"lpips with {self.keys}.net={self.net} reads grey and RGB images of at least "
                f"{self.backbone.least} pixels, got {tuple(true.shape[1:])}; {self.keys}.net=vgg reads 16 pixels"
            )
        distance = torch.zeros(len(true), device=true.device)
        x, y = (((2 * images - 1).expand(-1, 3, -1, -1) - self.shift) / self.scale for images in (made, true))
        for number, layer in enumerate(self.features):
            x, y = layer(x), layer(y)
            if number in self.backbone.layers:
                head = self.heads[self.backbone.layers.index(number)]
                distance = distance + (head * (_unit(x) - _unit(y)).square()).sum(1).mean((1, 2))
        return distance


def _unit(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()


def _features(backbone: Backbone, weights: str, key: str) -> nn.Sequential:
    """Build the layers up to the last that is compared; nothing is drawn for their initial values."""
    import torchvision

    state = _downloaded(backbone, key) if not weights else _local(Path(weights).expanduser(), key)
    with torch.device("meta"):
        layers = torchvision.models.get_model(backbone.name, weights=None).features[: backbone.layers[-1] + 1]
    held = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
    needed = {key: held[key] for key in layers.state_dict() if key in held}
    try:
        layers.load_state_dict(needed, assign=True)
    except RuntimeError as error:
        raise ValueError(
            f"{key}={weights}: not torchvision's state dict of {backbone.name} ({str(error)[:300]}); leave "
            "it out to download the weights"
        ) from error
    return layers.float()


def _downloaded(backbone: Backbone, key: str) -> dict[str, Tensor]:
    import torchvision

    weights: Any = torchvision.models.get_model_weights(backbone.name).DEFAULT
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True, map_location="cpu"))
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"lpips needs torchvision's weights of {backbone.name}, and downloading {weights.url} failed "
            f"({error}). Connect to the internet, give a local copy with {key}=PATH, or leave lpips out."
        ) from error


def _local(path: Path, key: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"{key}={path}: there is no such file; leave it out to download the weights")
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises errors of many kinds for a file that is no state dict
        raise ValueError(
            f"{key}={path}: not a state dict ({type(error).__name__}); leave it out to download the weights"
        ) from error


def _heads(net: str) -> nn.ParameterList:
    """Read the weights of the channels of each compared layer, which torchmetrics ships."""
    path = files("torchmetrics.functional.image") / "lpips_models" / f"{net}.pth"
    with path.open("rb") as file:
        state = torch.load(file, map_location="cpu", weights_only=True)
    return nn.ParameterList(state[f"lin{number}.model.1.weight"] for number in range(len(state)))
