r"""Heat maps: where in an image a function of the extractor's features is most sensitive.

For a layer with channels :math:`A_k` of :math:`h \times w` places and a function :math:`F` of the features,

.. math:: M(u, v) = \Big| \sum_k \frac{\partial F}{\partial A_k(u, v)} A_k(u, v) \Big|

Kynkäänniemi et al. 2023, section 3, draw such maps of the FID by Grad-CAM at the last layer before the average,
where a gradient is the same at all places, https://arxiv.org/abs/2203.06026. Here each place keeps its own gradient,
since the layers of small networks lie further in front, where an average over places lights up the background.

Reference: Draelos and Carin 2020, equation 5 (HiResCAM), https://arxiv.org/abs/2011.08891.

For an extractor that names no layer, the map is the gradient with respect to the pixels themselves,

.. math:: M(u, v) = \max_c \Big| \frac{\partial F}{\partial x_c(u, v)} \Big|.

Reference: Simonyan et al. 2014, section 3.1, https://arxiv.org/abs/1312.6034.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from ganvas.extractors.base import Extractor

Function = Callable[[Float[Tensor, "n d"]], Float[Tensor, " n"]]


def sensitivity(extractor: Extractor, images: UInt8[Tensor, "n c h w"], function: Function) -> Float[Tensor, "n h w"]:
    """Compute the heat map of each image, as large as the image, and scaled to [0, 1] by its own range.

    Args:
        extractor: extractor of the features.
        images: images that the extractor reads.
        function: differentiable function of the features of each image.
    """
    layer = extractor.spatial()
    found = _of_pixels(extractor, images, function) if layer is None else _of_layer(extractor, images, function, layer)
    low, high = found.amin((1, 2), keepdim=True), found.amax((1, 2), keepdim=True)
    scaled = (found - low) / (high - low).clamp(min=torch.finfo(found.dtype).tiny)
    large = functional.interpolate(scaled[:, None], images.shape[2:], mode="bilinear", align_corners=False)
    return large[:, 0].cpu()


def _of_layer(extractor: Extractor, images: Tensor, function: Function, layer: nn.Module) -> Float[Tensor, "n h2 w2"]:
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()  # the next layer may change its input in place, which a leaf does not allow

    hook = layer.register_forward_hook(keep)
    try:
        gradient = _gradient(extractor, lambda: images, function, lambda: kept[0])
    finally:
        hook.remove()
    return (gradient * kept[0].detach()).sum(1).abs()


def _of_pixels(extractor: Extractor, images: Tensor, function: Function) -> Float[Tensor, "n h w"]:
    pixels = images.float().requires_grad_()
    # A copy goes in: an extractor may scale its input in place, which a leaf does not allow.
    return _gradient(extractor, pixels.clone, function, lambda: pixels).abs().amax(1)


def _gradient(
    extractor: Extractor, images: Callable[[], Tensor], function: Function, at: Callable[[], Tensor]
) -> Tensor:
    """Differentiate the function of each image's features with respect to a tensor on their way."""
    with torch.enable_grad():
        features, _ = extractor.extract(images().to(extractor.device))
        return torch.autograd.grad(function(features).sum(), at())[0].detach()
