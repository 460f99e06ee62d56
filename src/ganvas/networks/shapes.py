r"""Which examples a network can serve, and the sizes between its layers.

A stride-two stage with a 4x4 kernel and padding one maps :math:`n \to \lfloor n / 2 \rfloor`; its transpose maps
:math:`m \to 2m` or, with one row of output padding, :math:`m \to 2m + 1`. A chain of halvings from the wanted size
therefore gives a generator that ends at exactly that size, odd ones included.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.types import Shape

Size = tuple[int, int]
"""Height and width, pixels."""


def refusal(network: str, shape: Sequence[int], serves: str, instead: str) -> ValueError:
    """The error of a network for a shape it cannot serve.

    Args:
        network: name in ``conf/network``.
        shape: what came.
        serves: what the network can serve.
        instead: what to do about it.

    Returns:
        The error, to be raised.
    """
    return ValueError(f"network '{network}': argument `shape` is {tuple(shape)}; it serves {serves}. Fix: {instead}.")


def any_shape(network: str, shape: Sequence[int]) -> Shape:
    """``shape`` as a tuple, where points ``(d,)`` and images ``(channels, height, width)`` are both served.

    Args:
        network: name in ``conf/network``.
        shape: of one example.

    Returns:
        The shape.

    Raises:
        ValueError: neither, or a size below one.
    """
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise refusal(network, shape, "points (d,) and images (channels, height, width)", "correct data.shape")
    return tuple(shape)


def image_shape(network: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """``shape`` as a tuple, where only images are served.

    Args:
        network: name in ``conf/network``.
        shape: of one example.

    Returns:
        Channels, height and width.

    Raises:
        ValueError: not an image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise refusal(network, shape, "images (channels, height, width)", "take network=mlp, which serves points too")
    channels, height, width = shape
    return channels, height, width


def is_points(shape: Shape) -> bool:
    """Whether examples are points (unbounded vectors) and not images."""
    return len(shape) == 1


def halvings(network: str, shape: Sequence[int], stages: int) -> list[Size]:
    """Sizes from the image down through ``stages`` stride-two stages, finest first.

    Args:
        network: name in ``conf/network``.
        shape: channels, height and width.
        stages: number of halvings, at least one.

    Returns:
        ``stages + 1`` sizes; the first is the image's.

    Raises:
        ValueError: not an image, or one too small for that many stages.
    """
    _, height, width = image_shape(network, shape)
    smallest = 2**stages
    if stages < 1:
        raise ValueError(f"network '{network}': argument `channels` is empty. Fix: give one width a stride-two stage.")
    if min(height, width) < smallest:
        serves = f"images of at least {smallest}x{smallest} with {stages} stages"
        raise refusal(network, shape, serves, "give fewer `channels`, or take network=mlp")
    return [(height >> stage, width >> stage) for stage in range(stages + 1)]


def doubling_paddings(sizes: Sequence[Size]) -> list[Size]:
    """Output paddings of the transposed convolutions that climb ``sizes`` from coarse to fine.

    Args:
        sizes: from :func:`halvings`, finest first.

    Returns:
        One (rows, columns) of zeros and ones a stage, coarsest first.
    """
    return [(height % 2, width % 2) for height, width in reversed(sizes[:-1])]
