"""Classifiers whose weights are files of the package: they work offline; their Fréchet distance is ``fd``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.resources import files
from typing import ClassVar, TypeVar

import torch
from jaxtyping import UInt8
from safetensors.torch import load
from torch import Tensor, nn

from ganvas.extractors.base import Extracted, Extractor
from ganvas.extractors.checksum import verify
from ganvas.types import Shape, to_float

Network = TypeVar("Network", bound=nn.Module)


def weights(file: str) -> bytes:
    """Read a file of the package's folder ``weights``."""
    return files("ganvas.extractors").joinpath("weights", file).read_bytes()


def classifier(network: type[Network], content: bytes, expected: str, file: str) -> Network:
    """Build a trained classifier from the bytes of its weights.

    Args:
        network: called without arguments.
        content: bytes of the safetensors file.
        expected: the pinned SHA-256 of the bytes.
        file: name of the file for the message.

    Returns:
        The classifier in float32 and evaluation mode, without gradients.

    Raises:
        WeightsError: the SHA-256 of the bytes is not the pinned one.
    """
    fix = "The installed package is damaged: reinstall ganvas."
    verify(content, expected, what=f"embedded weights {file}", fix=fix)
    # On the meta device nothing is initialised, so the global random state of a training run is not consumed.
    with torch.device("meta"):
        model = network()
    model.load_state_dict({name: x.float() for name, x in load(content).items()}, assign=True)
    return model.eval().requires_grad_(False)


class EmbeddedExtractor(Extractor, ABC):
    """Features and logits of an embedded classifier.

    It reads images of the one shape that its network was trained on: resizing would be another protocol.

    Attributes:
        shape: ``(c, h, w)`` of the images.
        kind: the shape in words for messages, as in ``28x28 grey``.
        model: the classifier.
    """

    shape: ClassVar[Shape]
    kind: ClassVar[str]
    model: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.model = self.load()

    @abstractmethod
    def load(self) -> nn.Module:
        """Build the trained classifier."""

    def check(self, images: Tensor) -> None:
        """Accept images of the network's shape only.

        Args:
            images: ``(n, c, h, w)``.

        Raises:
            ValueError: the images have another size or number of channels.
        """
        if images.shape[1:] != self.shape:
            expected, received = ("x".join(map(str, shape)) for shape in (self.shape, images.shape[1:]))
            raise ValueError(
                f"images: extractor '{self.name}' expects {expected} images, got {received}; "
                f"use extractor=inception, or data of {self.kind} images"
            )

    def extract(self, images: UInt8[Tensor, "n c h w"]) -> Extracted:
        """Compute features and logits.

        Args:
            images: ``(n, *shape)``.

        Returns:
            Features ``(n, num_features)``, logits ``(n, num_classes)``.
        """
        return self.model(to_float(images))
