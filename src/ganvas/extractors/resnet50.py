r"""SwAV and SimCLR: a ResNet-50 that was trained without labels, as an extractor.

.. math:: f = \operatorname{mean}_{u, v} h_4(u, v) \in \mathbb{R}^{2048},

the mean over places of the last stage, without the projection head of the training. Both published files have
torchvision's names behind a prefix. dgm-eval takes the same feature, and prepares images in the same way. Its SimCLR
is another network (SimCLR v2 with selective kernels), whose weights are published for TensorFlow only; here it is
VISSL's ResNet-50 of SimCLR after 1000 epochs. Of neither file a checksum is published, so the SHA-256 of the first
download is trusted (:mod:`ganvas.extractors.published`).

Reference: Caron et al. 2020, https://arxiv.org/abs/2006.09882; Chen et al. 2020, https://arxiv.org/abs/2002.05709;
VISSL's model zoo, https://github.com/facebookresearch/vissl; dgm-eval, https://github.com/layer6ai-labs/dgm-eval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import torch
import torchvision
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.extractors.picture import PictureExtractor, Preparation, prepared_by, require_free
from ganvas.extractors.published import Published, read_state, weights_file
from ganvas.extractors.resize import IMAGENET

_FILES: Final = "https://dl.fbaipublicfiles.com"
_SIMCLR: Final = "simclr_rn50_1000ep_simclr_8node_resnet_16_07_20.afe428c7"


@final
@dataclass(frozen=True)
class Layout:
    """A published file of a ResNet-50.

    Args:
        published: where the file is.
        inside: keys of nested dictionaries that lead to the network's tensors.
        prefix: beginning of the name of each tensor of the network.
        unused: beginnings of the names, behind the prefix, of tensors of the training.
    """

    published: Published
    inside: tuple[str, ...]
    prefix: str
    unused: tuple[str, ...]

    def state(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Find the tensors of the network in the content of a file, under torchvision's names.

        A file of the network's tensors alone is taken too.
        """
        for key in self.inside:
            content = content.get(key, content)
        named = {key.removeprefix(self.prefix): value for key, value in content.items()}
        return {key: value for key, value in named.items() if not key.startswith(self.unused)}


LAYOUTS: Final[Mapping[str, Layout]] = {
    "swav": Layout(
        Published(f"{_FILES}/deepcluster/swav_800ep_pretrain.pth.tar", "swav_800ep_pretrain.pth.tar"),
        (),
        "module.",
        ("projection_head.", "prototypes."),
    ),
    "simclr": Layout(
        Published(f"{_FILES}/vissl/model_zoo/{_SIMCLR}/model_final_checkpoint_phase999.torch", f"{_SIMCLR}.torch"),
        ("classy_state_dict", "base_model", "model", "trunk"),
        "_feature_blocks.",
        (),
    ),
}


@final
class ResNet50Extractor(PictureExtractor):
    """Features (2048) of a ResNet-50 that was trained without labels; it has no class logits.

    Args:
        name: part of the scores' keys, ``score/<name>/fd``.
        model: ``swav`` or ``simclr``.
        weights: path of a local copy of the published file; None downloads it once.
        resizer: see :func:`~ganvas.extractors.picture.prepared_by`.

    Raises:
        WeightsError: the download failed, or the SHA-256 is not that of the first download.
        ValueError: there is no such model or resizer, or the file does not hold its weights.
    """

    num_features = 2048

    # Configs recorded before there were resizers lack the last argument, and mean the authors' own steps.
    def __init__(self, name: str, model: str, weights: str | None, resizer: str = "pillow") -> None:
        super().__init__()
        if model not in LAYOUTS:
            raise ValueError(f"extractor.model={model}: expected one of {', '.join(LAYOUTS)}")
        self.name = require_free(name)
        self.preparation = prepared_by(resizer, Preparation(224, 224, False, "bilinear", *IMAGENET))
        with torch.random.fork_rng(devices=[]):  # the initialisation must not consume the global random state
            self.network = torchvision.models.resnet50(weights=None)
        self.network.fc = nn.Identity()
        path = weights_file(LAYOUTS[model].published, weights)
        self.take_weights(LAYOUTS[model].state(read_state(path)), path, f"{model}'s ResNet-50")
        self.preprocessing = f"{model} resnet50 mean over places; {self.preparation.describe()}"

    def features(self, x: Float[Tensor, "n 3 224 224"]) -> Float[Tensor, "n 2048"]:
        """Compute the mean of the last stage over its places."""
        return self.network(x)
