r"""Ways from an image to the input of the 2015 Inception, 299x299 in about [-1, 1], each as a tool does it.

.. math:: x = (r(u) - 128) / 128 \quad\text{or}\quad x = 2\, r(u / 255) - 1

where the tools differ in :math:`r`, the resize (:mod:`ganvas.extractors.resize`), and pytorch-fid also in the range. A
score depends on both.

Reference: ``InceptionV3W.forward`` in ``cleanfid/inception_torchscript.py``, https://github.com/GaParmar/clean-fid at
e88c4d6; ``InceptionV3.forward`` in ``src/pytorch_fid/inception.py``, https://github.com/mseitzer/pytorch-fid at
b9c1811.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, final

from jaxtyping import Float, UInt8
from torch import Tensor

from ganvas.extractors.resize import RESIZES, RGB, Resize

SIZE: Final = 299


class Resizer(ABC):
    """A preprocessing of the 2015 Inception.

    Args:
        resize: the resize.
        tools: tools that preprocess so.

    Attributes:
        name: what ``extractor.resizer`` calls it.
        preprocessing: description of every step, part of a score's protocol.
        steps: the steps after the conversion to colour, with ``{0}`` in the place of the resize.
    """

    steps: str

    def __init__(self, resize: Resize, tools: str) -> None:
        self.name, self.tools, self._resize = resize.name, tools, resize
        self.preprocessing = f"{RGB}; {self.steps.format(resize.how.format(SIZE))}"

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """Resize images in [0, 255], and scale them to about [-1, 1]."""


@final
class Centred(Resizer):
    """The range of the graph of 2015, where 128 becomes 0."""

    steps = "{0}; (u - 128) / 128"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        return (self._resize(images.float(), SIZE) - 128) / 128


@final
class Unit(Resizer):
    """The range of pytorch-fid, where 127.5 becomes 0; clean-fid's ``legacy_pytorch`` divides after the resize."""

    steps = "u / 255; {0}; 2 x - 1"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 299 299"]:
        """See :class:`Resizer`."""
        return 2 * self._resize(images.float() / 255, SIZE) - 1


RESIZERS: Final = {
    resizer.name: resizer
    for resizer in (
        Centred(
            RESIZES["tensorflow"],
            "torch-fidelity, StyleGAN2-ADA, StyleGAN3, EDM, EDM2, clean-fid's legacy_tensorflow",
        ),
        Unit(RESIZES["pytorch_fid"], "pytorch-fid, dgm-eval, clean-fid's legacy_pytorch"),
        Centred(RESIZES["clean"], "clean-fid"),
        Centred(RESIZES["torchmetrics"], "torchmetrics since 1.8"),
    )
}
"""Resizers by name: those ways to resize that a tool has before the Inception."""


def resizer_called(name: str) -> Resizer:
    """Find a resizer.

    Args:
        name: one of :data:`RESIZERS`.

    Raises:
        ValueError: there is no such resizer.
    """
    if name not in RESIZERS:
        known = "; ".join(f"{resizer.name} ({resizer.tools})" for resizer in RESIZERS.values())
        raise ValueError(
            f"resizer: expected one of {known}; got '{name}'; choose that of the tool whose scores you mean"
        )
    return RESIZERS[name]
