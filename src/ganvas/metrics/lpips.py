"""LPIPS of reconstructions: their distance from held-out images, see :mod:`ganvas.extractors.perceptual`.

Reference: Zhang et al. 2018, equation 1, https://arxiv.org/abs/1801.03924
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.extractors.perceptual import Perceptual
from ganvas.metrics.base import RECONSTRUCTIONS, Material, Measured, Metric
from ganvas.metrics.reconstruction import COUNT, KIND, measured
from ganvas.metrics.settings import Setting

_NET = Setting("reconstruction.net", "alex", "network of lpips: alex, vgg or squeeze (the paper's tables: alex)")
_WEIGHTS = Setting(
    "reconstruction.weights", "", "path of torchvision's state dict of that network; empty downloads it", decides=False
)


def _lpips(material: Material) -> Measured:
    material.reconstructor("lpips")  # before a download
    distance = Perceptual(material.settings[_NET.name], material.settings[_WEIGHTS.name], "reconstruction")

    @torch.no_grad()
    def quality(made: Tensor, true: Tensor) -> Tensor:
        return distance.to(true.device)(made, true)

    return measured(material, "lpips", quality, {"weights_hash": distance.weights_hash})


METRIC = Metric(
    "lpips",
    RECONSTRUCTIONS,
    {"lpips": True},
    (_NET, _WEIGHTS, COUNT),
    1,
    _lpips,
    "distance of held-out images from their reconstructions in the features of a network that knows photographs",
    KIND,
)
