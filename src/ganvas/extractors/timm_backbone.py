r"""Backbones of timm as extractors: DINOv2 in its sizes, MAE, ConvNeXt, Swin, CLIP.

The features are those before the classifier: the class token after the last normalisation (``pooling: token``), or the
normalised mean over places (``avg``). They are those of dgm-eval for DINOv2, MAE, ConvNeXt and CLIP (without the
projection to the space of texts); dgm-eval has no Swin.

DINOv2 was trained at 518 pixels and is applied at 224. Its own code then interpolates the position embeddings by a
bicubic filter without antialias at the scale (16 + 0.1) / 37, not 16 / 37. That is ``position_offset: 0.1``; null
interpolates as timm does, with antialias, which is also what DINOv2's code does for its networks with registers.

The weights are files of the model hub, whose record states their SHA-256 (:mod:`ganvas.extractors.published`).

Reference: Stein et al. 2023, https://arxiv.org/abs/2306.04675; code: https://github.com/layer6ai-labs/dgm-eval,
https://github.com/huggingface/pytorch-image-models, https://github.com/facebookresearch/dinov2.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.extractors.picture import PictureExtractor, Preparation, prepared_by, require_free
from ganvas.extractors.published import Published, read_state, weights_file

FILE: Final = "model.safetensors"
_POSITIONS: Final = "pos_embed"


def require_timm(name: str) -> Any:
    """Import timm.

    Args:
        name: name of the extractor, for the message.

    Raises:
        ValueError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"extractor={name} needs timm, which is not installed; pip install '.[extractors]' in the clone, or "
            "pip install timm"
        ) from error
    return timm


@final
class TimmExtractor(PictureExtractor):
    """Features of a network of timm; it has no class logits, so there is no Inception Score.

    Mean, standard deviation and filter are those that timm records for the weights.

    Args:
        name: part of the scores' keys, ``score/<name>/fd``.
        model: timm's name of architecture and weights, ``vit_large_patch14_dinov2.lvd142m``.
        pooling: ``token`` or ``avg``, as the architecture offers.
        size: see :class:`Preparation`.
        resize: see :class:`Preparation`.
        stretch: see :class:`Preparation`.
        position_offset: added to the number of places of a side, for the scale of position embeddings; None lets timm
            interpolate them.
        weights: path of a local file, of the model hub or of the network's authors; None downloads the hub's once.
        resizer: see :func:`~ganvas.extractors.picture.prepared_by`; another way than ``pillow`` stretches images to
            ``size``, whatever ``resize`` and ``stretch`` say.

    Raises:
        WeightsError: the download failed, or its SHA-256 is not the one stated or seen first.
        ValueError: timm is not installed or has no such model, there is no such resizer, the file does not hold its
            weights, or the name is that of another extractor.
    """

    # Configs recorded before there were resizers lack the last argument, and mean the authors' own steps.
    def __init__(
        self,
        name: str,
        model: str,
        pooling: str,
        size: int,
        resize: int,
        stretch: bool,
        position_offset: float | None,
        weights: str | None,
        resizer: str = "pillow",
    ) -> None:
        super().__init__()
        timm = require_timm(name)
        recorded = _recorded(timm, model)
        self.name = require_free(name)
        own = Preparation(resize, size, stretch, recorded.interpolation, recorded.mean, recorded.std)
        self.preparation = prepared_by(resizer, own)
        self.network = _network(timm, model, pooling, {"img_size": size} if recorded.fixed_input_size else {})
        path = weights_file(Published.on_hub(recorded.hf_hub_id, FILE), weights)
        self.take_weights(_layout(self.network, read_state(path), position_offset), path, model)
        self.num_features = self.network.head_hidden_size
        self.preprocessing = f"{model} {pooling}; {self.preparation.describe()}"

    def features(self, x: Float[Tensor, "n 3 size size"]) -> Float[Tensor, "n d"]:
        """Compute what the network would give to its classifier."""
        return self.network.forward_head(self.network.forward_features(x), pre_logits=True)


def _recorded(timm: Any, model: str) -> Any:
    """Return what timm records of the weights; ValueError if it knows none."""
    try:
        found = timm.get_pretrained_cfg(model)
    except RuntimeError:
        found = None
    if found is None or not found.hf_hub_id:
        raise ValueError(
            f"extractor.model={model}: timm {timm.__version__} has no such weights; write a name that "
            "timm.list_pretrained() lists"
        )
    return found


def _network(timm: Any, model: str, pooling: str, sizes: Mapping[str, int]) -> Any:
    """Build the network without consuming the global random state by its initialisation."""
    try:
        with torch.random.fork_rng(devices=[]):
            return timm.create_model(model, pretrained=False, global_pool=pooling, **sizes)
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(
            f"extractor.pooling={pooling}, extractor.size={[*sizes.values()]}: timm's {model} does not take them "
            f"({error}); write token or avg, and a size that its patches fill"
        ) from error


def _layout(network: Any, state: dict[str, Any], offset: float | None) -> dict[str, Any]:
    """Bring a state dict to the names and sizes of the network, by the function that timm may have for its family."""
    if offset is not None and _POSITIONS in state:
        grid = network.patch_embed.grid_size[0]
        state = {**state, _POSITIONS: shifted_positions(state[_POSITIONS], grid, offset)}
    convert = vars(sys.modules[type(network).__module__]).get("checkpoint_filter_fn")
    return dict(state if convert is None else convert(state, network))


def shifted_positions(positions: Float[Tensor, "1 n d"], grid: int, offset: float) -> Float[Tensor, "1 m d"]:
    """Interpolate position embeddings as DINOv2's code does.

    Args:
        positions: embedding of the class token, then of each place of a square, row by row.
        grid: places of a side of the result.
        offset: added to ``grid`` for the scale.
    """
    side = math.isqrt(positions.shape[1] - 1)
    if side == grid:
        return positions
    first, places = positions[:, :1], positions[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
    made = interpolate(places, scale_factor=((grid + offset) / side,) * 2, mode="bicubic", antialias=False)
    return torch.cat([first.float(), made.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
