r"""Initialisers, which draw the weights before the first step; biases start at zero.

An initialiser fills one weight in place. A config names it and sets its numbers with ``_partial_: true``:

.. math::
    \text{uniform: } w \sim U(-b, b), \qquad \text{normal: } w \sim N(0, s^2), \qquad
    \text{Glorot: } w \sim U(-b, b),\ b = g \sqrt{6 / (\text{fan}_{in} + \text{fan}_{out})}.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Initialiser = Callable[[Tensor], object]
"""Fills one weight in place."""

LINEAR_MAPS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def uniform_(weight: Tensor, bound: float) -> None:
    """Draw from :math:`U(-b, b)`.

    Args:
        weight: weight that is filled in place.
        bound: :math:`b > 0`.
    """
    nn.init.uniform_(weight, -bound, bound)


def normal_(weight: Tensor, std: float) -> None:
    """Draw from :math:`N(0, s^2)`.

    Args:
        weight: weight that is filled in place.
        std: :math:`s > 0`.
    """
    nn.init.normal_(weight, 0.0, std)


def glorot_uniform_(weight: Tensor, gain: float) -> None:
    r"""Draw from :math:`U(-b, b)` with :math:`b = g \sqrt{6 / (\text{fan}_{in} + \text{fan}_{out})}`.

    Reference: Glorot & Bengio 2010, eq. 16, https://proceedings.mlr.press/v9/glorot10a.html. A gain of
    :math:`\sqrt 2` keeps the scale through a ReLU.

    Args:
        weight: weight that is filled in place.
        gain: :math:`g > 0`.
    """
    nn.init.xavier_uniform_(weight, gain)


def fan_in_uniform_(weight: Tensor) -> None:
    r"""Draw from :math:`U(-b, b)` with :math:`b = 1 / \sqrt{\text{fan}_{in}}`, PyTorch's default for linear layers."""
    nn.init.kaiming_uniform_(weight, a=5**0.5)


def initialise(network: nn.Module, init: Initialiser) -> None:
    """Apply ``init`` to every linear and convolutional weight of ``network``, and set the layers' biases to zero.

    Args:
        network: network whose weights are changed in place.
        init: initialiser that fills one weight in place.

    Raises:
        ValueError: the initialiser cannot draw with its numbers, for example an infinite gain.
    """
    for layer in network.modules():
        if isinstance(layer, LINEAR_MAPS):
            try:
                init(layer.weight)
            except RuntimeError as error:  # of torch's generator
                numbers = getattr(init, "keywords", {})
                said = ", ".join(f"{name}={value}" for name, value in numbers.items())
                raise ValueError(
                    f"init: {said}: the weights cannot be drawn ({error}); write finite numbers"
                ) from error
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def start_at_(output: nn.Linear, mean: Tensor, clip: float) -> None:
    r"""Set a bias to :math:`\log(p / (1 - p))`, so that the network's first images are the mean training image.

    Reference: the decoder of Burda et al. 2016 (clip .001) and the generator of Goodfellow et al. 2014 (clip 1e-7), in
    the authors' code.

    Args:
        output: last layer, whose bias is changed in place.
        mean: mean training image, :math:`p` in [0, 1].
        clip: bounds :math:`p` to [clip, 1 - clip], for pixels that are black in every training image.

    Raises:
        ValueError: the layer has another number of outputs, which are no logits of pixels.
    """
    if output.out_features != mean.numel():
        raise ValueError(
            f"marginal_bias: the network has {output.out_features} outputs for {mean.numel()} pixels, expected one "
            "logit for each; write marginal_bias=null"
        )
    with torch.no_grad():
        output.bias.copy_(mean.flatten().double().clamp(clip, 1 - clip).logit())
