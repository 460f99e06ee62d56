"""The embedded extractor for 28x28 grey images: works offline; its Fréchet distance is called ``fd``, not ``fid``."""

from __future__ import annotations

from typing import Final, final

from torch import nn

from ganvas.extractors.embedded import EmbeddedExtractor, classifier, weights
from ganvas.extractors.mnist_cnn import MnistCNN

WEIGHTS: Final = "mnist_cnn.safetensors"
WEIGHTS_SHA256: Final = "62f94068e8bb51c4241ae3143b04cc1dbe880d65707fd64ce15f0fbfa9031645"
"""SHA-256 of ``weights/mnist_cnn.safetensors``, written by ``scripts/train_extractor.py``."""


@final
class MnistExtractor(EmbeddedExtractor):
    """Penultimate features (128) and logits (10) of :class:`~ganvas.extractors.mnist_cnn.MnistCNN`."""

    name = "mnist"
    weights_hash = WEIGHTS_SHA256
    preprocessing = "1x28x28 as it is, u / 127.5 - 1, no resize"
    num_features = MnistCNN.num_features
    num_classes = MnistCNN.num_classes
    shape = (1, 28, 28)
    kind = "28x28 grey"

    def load(self) -> MnistCNN:
        """Build the trained classifier; refuse weights that are not the pinned ones."""
        return classifier(MnistCNN, weights(WEIGHTS), WEIGHTS_SHA256, WEIGHTS)

    def spatial(self) -> nn.Module:
        """Return the last layer of 7x7 places; those behind it have 3x3."""
        return self.model.get_submodule("trunk.2")
