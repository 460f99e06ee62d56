"""The embedded extractor for 28x28 grey images: works offline; its Fréchet distance is called ``fd``, not ``fid``."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, final

import torch
from jaxtyping import UInt8
from safetensors.torch import load
from torch import Tensor

from ganvas.extractors.base import Extracted, Extractor
from ganvas.extractors.checksum import verify
from ganvas.extractors.mnist_cnn import MnistCNN
from ganvas.types import to_float

WEIGHTS_SHA256: Final = "62f94068e8bb51c4241ae3143b04cc1dbe880d65707fd64ce15f0fbfa9031645"
"""SHA-256 of ``weights/mnist_cnn.safetensors``, written by ``scripts/train_extractor.py``."""


def mnist_cnn(content: bytes) -> MnistCNN:
    """Build the trained classifier from the bytes of its weights.

    Args:
        content: bytes of the safetensors file.

    Returns:
        The classifier in evaluation mode, without gradients.

    Raises:
        WeightsError: the SHA-256 of the bytes is not the pinned one.
    """
    fix = "The installed package is damaged: reinstall ganvas."
    verify(content, WEIGHTS_SHA256, what="embedded weights mnist_cnn.safetensors", fix=fix)
    # On the meta device nothing is initialised, so the global random state of a training run is not consumed.
    with torch.device("meta"):
        model = MnistCNN()
    model.load_state_dict(load(content), assign=True)
    return model.eval().requires_grad_(False)


@final
class MnistExtractor(Extractor):
    """Penultimate features (128) and logits (10) of :class:`~ganvas.extractors.mnist_cnn.MnistCNN`."""

    name = "mnist"
    weights_hash = WEIGHTS_SHA256
    preprocessing = "1x28x28 as it is, u / 127.5 - 1, no resize"
    num_features = MnistCNN.num_features
    num_classes = MnistCNN.num_classes

    def __init__(self) -> None:
        super().__init__()
        self.model = mnist_cnn(files("ganvas.extractors").joinpath("weights", "mnist_cnn.safetensors").read_bytes())

    def check(self, images: Tensor) -> None:
        """Accept 28x28 grey images only: the network was trained on these, and resizing would change the protocol.

        Args:
            images: ``(n, c, h, w)``.

        Raises:
            ValueError: the images have another size or number of channels.
        """
        if images.shape[1:] != (1, 28, 28):
            raise ValueError(
                f"images: extractor 'mnist' expects 1x28x28 images, got {'x'.join(map(str, images.shape[1:]))}; "
                "use extractor=inception, or data of 28x28 grey images"
            )

    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Compute features and logits of digits.

        Args:
            images: ``(n, 1, 28, 28)``.

        Returns:
            Features ``(n, 128)``, logits ``(n, 10)``.
        """
        return self.model(to_float(images))
