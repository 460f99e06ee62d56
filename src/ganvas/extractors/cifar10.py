"""The embedded extractor for 32x32 colour images: works offline; its Fréchet distance is called ``fd``, not ``fid``."""

from __future__ import annotations

from typing import Final, final

import torch
from torch import nn

from ganvas.extractors.cifar10_cnn import Cifar10CNN
from ganvas.extractors.embedded import EmbeddedExtractor, classifier, weights

WEIGHTS: Final = "cifar10_cnn.safetensors"
WEIGHTS_SHA256: Final = "f4e4ec2e00de38c52de4dde98b3234eb1aa14186fba5f6eb9670b8601c61dc74"
"""SHA-256 of ``weights/cifar10_cnn.safetensors``, written by ``scripts/train_colour_extractor.py``."""


@final
class Cifar10Extractor(EmbeddedExtractor):
    """Features of two stages (64 + 128) and logits (10) of :class:`~ganvas.extractors.cifar10_cnn.Cifar10CNN`."""

    name = "cifar10"
    weights_hash = WEIGHTS_SHA256
    preprocessing = "3x32x32 as it is, u / 127.5 - 1, no resize"
    num_features = Cifar10CNN.num_features
    num_classes = Cifar10CNN.num_classes
    shape = (3, 32, 32)
    kind = "32x32 colour"

    def load(self) -> Cifar10CNN:
        """Build the trained classifier; refuse weights that are not the pinned ones."""
        model = classifier(Cifar10CNN, weights(WEIGHTS), WEIGHTS_SHA256, WEIGHTS)
        # Convolutions of a CPU are about twice as fast in this order of memory; features differ by rounding only.
        return model.to(memory_format=torch.channels_last)

    def spatial(self) -> nn.Module:
        """Return the first stage, of 16x16 places, through which both kinds of features pass."""
        return self.model.get_submodule("trunk.1")
