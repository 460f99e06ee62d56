"""Spatial features of the 2015 Inception, on which the Fréchet distance is sFID.

They are the outputs of a layer before the pooling over the image, at 17x17 places, so that a distance sees where things
are: 7 of the 192 channels of the first branch of the block that TensorFlow calls ``mixed_6``, the first ones.

Reference: Nash et al. 2021, https://arxiv.org/abs/2103.03841; layer and channels as in OpenAI's evaluator,
https://github.com/openai/guided-diffusion.
"""

from __future__ import annotations

from typing import Final, final

from jaxtyping import UInt8
from torch import Tensor, nn

from ganvas.extractors.base import ColourExtractor, Extracted
from ganvas.extractors.inception import LAYERS, opened
from ganvas.extractors.resizers import resizer_called

_LAYERS: Final = LAYERS[: LAYERS.index("Mixed_6d")]
PLACES: Final = 17
CHANNELS: Final = 7


@final
class InceptionSpatialExtractor(ColourExtractor):
    """Features (2023) of the 2015 Inception before pooling: seven channels at 17x17 places; it has no logits.

    Args:
        weights: see :class:`ganvas.extractors.inception.InceptionExtractor`.
        resizer: see :class:`ganvas.extractors.inception.InceptionExtractor`.

    Raises:
        WeightsError: the download failed, or its SHA-256 is not the pinned one.
        ValueError: there is no such resizer, or ``weights`` is not a state dict of this network.
    """

    name = "inception_spatial"
    num_features = CHANNELS * PLACES**2
    num_classes = None

    # Configs recorded before there were resizers lack the argument, and mean TensorFlow's.
    def __init__(self, weights: str | None, resizer: str = "tensorflow") -> None:
        super().__init__()
        self.resize = resizer_called(resizer)
        self.preprocessing = self.resize.preprocessing
        # torch-fidelity stops after the block of this output, the first that it offers behind ours.
        self.model, self.weights_hash = opened(weights, ("768",))

    def extract_rgb(self, images: UInt8[Tensor, "n 3 h w"]) -> Extracted:
        """Compute features ``(n, 2023)``, the channels of a place side by side."""
        x = self.resize(images)
        for name in _LAYERS:
            x = self.model.get_submodule(name)(x)
        # torch-fidelity's name of TensorFlow's mixed_6/conv, whose output is that after the ReLU.
        return self.spatial()(x)[:, :CHANNELS].permute(0, 2, 3, 1).flatten(1), None

    def spatial(self) -> nn.Module:
        """Return the layer whose first channels are the features."""
        return self.model.get_submodule("Mixed_6d.branch1x1")
