r"""Shapes of examples that a network accepts, and the sizes of the grids between its layers.

A stride-two stage with a 4x4 kernel and padding 1 maps :math:`n \to \lfloor n / 2 \rfloor`; its transpose maps
:math:`m \to 2m` or, with one row of output padding, :math:`m \to 2m + 1`. A generator built from the halvings of a
size therefore ends at exactly that size, also if it is odd.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.types import Locates, Shape

Size = tuple[int, int]
"""Height and width, pixels."""
COARSEST = 4
"""Smallest side of a coarsest grid, pixels; the next grid has twice as many."""


def refusal(network: str, shape: Sequence[int], serves: str, instead: str) -> ValueError:
    """Make the error for a shape that a network does not accept.

    Args:
        network: option of the config group ``network``.
        shape: the shape that came.
        serves: the shapes that the network accepts, in words.
        instead: the fix, in words.

    Returns:
        The error, for the caller to raise.
    """
    return ValueError(f"network '{network}': argument `shape` is {tuple(shape)}; it serves {serves}. Fix: {instead}.")


def any_shape(network: str, shape: Sequence[int]) -> Shape:
    """Check the shape of points ``(d,)`` or images ``(channels, height, width)``.

    Args:
        network: option of the config group ``network``, for the error message.
        shape: shape of one example.

    Returns:
        The shape as a tuple.

    Raises:
        ValueError: another number of dimensions, or a size below 1.
    """
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise refusal(network, shape, "points (d,) and images (channels, height, width)", "correct data.shape")
    return tuple(shape)


def image_shape(network: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """Check the shape of images.

    Args:
        network: option of the config group ``network``, for the error message.
        shape: shape of one example.

    Returns:
        Channels, height and width.

    Raises:
        ValueError: the shape is not that of an image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise refusal(network, shape, "images (channels, height, width)", "take network=mlp, which serves points too")
    channels, height, width = shape
    return channels, height, width


def location_shape(shape: Shape, likelihood: object) -> Shape:
    """Compute the shape of a decoder's output: that of an example, if the likelihood does not ask for another.

    Args:
        shape: shape of one example.
        likelihood: the likelihood of the model; None asks for nothing.
    """
    return likelihood.location_shape(shape) if isinstance(likelihood, Locates) else shape


def is_points(shape: Shape) -> bool:
    """Whether examples are points, that is unbounded vectors, and not images."""
    return len(shape) == 1


def halvings(network: str, shape: Sequence[int], stages: int) -> list[Size]:
    """Compute the sizes of the grids in ``stages`` stride-two stages, finest first.

    Args:
        network: option of the config group ``network``, for the error message.
        shape: channels, height and width of one image.
        stages: number of halvings, at least 1.

    Returns:
        ``stages + 1`` sizes; the first is the image's.

    Raises:
        ValueError: the shape is not that of an image, or the image is too small for the stages.
    """
    _, height, width = image_shape(network, shape)
    smallest = 2**stages
    if stages < 1:
        raise ValueError(
            f"network '{network}': argument `channels` is empty. Fix: give one width for each stride-two stage."
        )
    if min(height, width) < smallest:
        serves = f"images of at least {smallest}x{smallest} with {stages} stages"
        raise refusal(network, shape, serves, "give fewer `channels`, or take network=mlp")
    return [(height >> stage, width >> stage) for stage in range(stages + 1)]


def doublings(network: str, shape: Sequence[int], least: int, most: int) -> list[int]:
    """Compute the sides of the grids of a network that doubles a coarsest grid of 4, 5, 6 or 7 pixels.

    A side of 28 is 7 x 2 x 2, one of 32 is 4 x 2 x 2 x 2: every size has one such grid.

    Args:
        network: option of the config group ``network``, for the error message.
        shape: channels, height and width of one image.
        least: smallest number of doublings that the network can have, at least 1.
        most: largest number of doublings.

    Returns:
        The sides, coarsest first; the last is the image's.

    Raises:
        ValueError: the shape is not that of an image, or the image is not a square of such a size.
    """
    _, height, width = image_shape(network, shape)
    count = max((height // COARSEST).bit_length() - 1, 0)
    start = height >> count
    if height != width or start << count != height or not least <= count <= most:
        smallest, largest = COARSEST << least, (2 * COARSEST - 1) << most
        serves = f"square images of {smallest} to {largest} pixels whose side is 4, 5, 6 or 7 times a power of two"
        raise refusal(network, shape, serves, "resize the data (data.size=32), or take network=dcgan")
    return [start << stage for stage in range(count + 1)]


def doubling_paddings(sizes: Sequence[Size]) -> list[Size]:
    """Compute the output paddings of the transposed convolutions that go through ``sizes`` from coarse to fine.

    Args:
        sizes: sizes of the grids from :func:`halvings`, finest first.

    Returns:
        One (rows, columns) for each stage, each 0 or 1, coarsest first.
    """
    return [(height % 2, width % 2) for height, width in reversed(sizes[:-1])]
