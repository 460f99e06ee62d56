r"""data2vec's vision transformer as an extractor: the class token after the last normalisation.

The network is BEiT's, with one relative position bias that all layers share and no position embeddings; its weights are
read in the layout of the model hub's files. The features are those of dgm-eval, whose pooling of this network takes
the class token.

Reference: Baevski et al. 2022, https://arxiv.org/abs/2202.03555; Stein et al. 2023, https://arxiv.org/abs/2306.04675.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.extractors.picture import HALF, PictureExtractor, Preparation, prepared_by, require_free
from ganvas.extractors.published import Published, read_state, weights_file
from ganvas.extractors.timm_backbone import require_timm

NETWORKS: Final = {"data2vec-vision-base": "beit_base_patch16_224", "data2vec-vision-large": "beit_large_patch16_224"}
"""Names on the model hub, each with timm's architecture."""
FILE: Final = "pytorch_model.bin"
_UNUSED: Final = ("embeddings.mask_token", "encoder.relative_position_bias.relative_position_index")
_NAMES: Final = {
    "embeddings.cls_token": "cls_token",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "encoder.relative_position_bias": "rel_pos_bias",
    "layernorm": "norm",
}
_OF_LAYERS: Final = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.output.dense": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "attention.attention.query.bias": "attn.q_bias",
    "attention.attention.value.bias": "attn.v_bias",
    "lambda_1": "gamma_1",
    "lambda_2": "gamma_2",
}
"""Names in the hub's file, or their beginnings, each with timm's."""
_PARTS: Final = ("query", "key", "value")
_LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.(.+)")
_EPSILON: Final = 1e-12
"""Of the layer normalisations, as the hub's config of the network has it."""


@final
class Data2vecExtractor(PictureExtractor):
    """Features of data2vec; it has no class logits, so there is no Inception Score.

    Args:
        name: part of the scores' keys, ``score/<name>/fd``.
        model: ``data2vec-vision-large`` or ``data2vec-vision-base``.
        weights: path of a local file in the layout of the hub's; None downloads the hub's once.
        resizer: see :func:`~ganvas.extractors.picture.prepared_by`.

    Raises:
        WeightsError: the download failed, or its SHA-256 is not the one stated or seen first.
        ValueError: timm is not installed, there is no such model or resizer, or the file does not hold its weights.
    """

    # Configs recorded before there were resizers lack the last argument, and mean the authors' own steps.
    def __init__(self, name: str, model: str, weights: str | None, resizer: str = "pillow") -> None:
        super().__init__()
        if model not in NETWORKS:
            raise ValueError(f"extractor.model={model}: expected one of {', '.join(NETWORKS)}")
        timm = require_timm(name)
        self.name = require_free(name)
        self.preparation = prepared_by(resizer, Preparation(224, 224, True, "bicubic", *HALF))
        with torch.random.fork_rng(devices=[]):  # the initialisation must not consume the global random state
            self.network = timm.create_model(
                NETWORKS[model],
                pretrained=False,
                num_classes=0,
                global_pool="token",
                use_abs_pos_emb=False,
                use_rel_pos_bias=False,
                use_shared_rel_pos_bias=True,
                init_values=0.1,
                norm_layer=partial(nn.LayerNorm, eps=_EPSILON),
            )
        path = weights_file(Published.on_hub(f"facebook/{model}", FILE), weights)
        self.take_weights(renamed(read_state(path)), path, model)
        self.num_features = self.network.head_hidden_size
        self.preprocessing = f"{model} token; {self.preparation.describe()}"

    def features(self, x: Float[Tensor, "n 3 224 224"]) -> Float[Tensor, "n d"]:
        """Compute the normalised class token."""
        return self.network.forward_head(self.network.forward_features(x), pre_logits=True)


def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the names of the hub's file to those of timm's BEiT, and join queries, keys and values.

    Args:
        state: tensors by name, as the hub's file has them.
    """
    found: dict[str, Any] = {}
    for key, value in state.items():
        if key not in _UNUSED and not _is_part(key):
            found[_renamed(key)] = value
    layers = dict.fromkeys(match[1] for key in state if (match := _LAYER.fullmatch(key)))
    for layer in layers:
        names = [f"encoder.layer.{layer}.attention.attention.{part}.weight" for part in _PARTS]
        if all(name in state for name in names):
            found[f"blocks.{layer}.attn.qkv.weight"] = torch.cat([state[name] for name in names])
    return found


def _is_part(key: str) -> bool:
    return key.endswith(tuple(f"attention.attention.{part}.weight" for part in _PARTS))


def _renamed(key: str) -> str:
    layer = _LAYER.fullmatch(key)
    names, prefix, rest = (_NAMES, "", key) if layer is None else (_OF_LAYERS, f"blocks.{layer[1]}.", layer[2])
    for old, new in names.items():
        if rest == old or rest.startswith(f"{old}."):
            return f"{prefix}{new}{rest[len(old) :]}"
    return key
