"""Protocols of networks, and what a critic says of examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.types.batches import Shape
from ganvas.types.latents import Posterior
from ganvas.types.modules import SeesModules


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """What a critic says of some examples.

    Args:
        scores: one score for each example, unbounded.
        features: activations that the scores are made from; None if the critic does not show them.
        recognised: further outputs made from them, such as logits of classes; None without any.
    """

    scores: Float[Tensor, " n"]
    features: Float[Tensor, "n d"] | None = None
    recognised: Float[Tensor, "n k"] | None = None


@runtime_checkable
class Generator(Protocol):
    """A network from latents to examples in [-1, 1]; points are unbounded."""

    latent_dim: int
    shape: Shape

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        """Generate an example from each latent."""
        ...


@runtime_checkable
class Styled(Protocol):
    """A generator that maps latents to styles, and styles to examples."""

    styles: int
    """Number of layers that take a style."""

    def mean_style(self) -> Tensor:
        """Return the mean of the styles."""
        ...

    def style(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None = None) -> Tensor:
        """Map latents, and classes if the generator is conditional, to styles."""
        ...

    def synthesise(self, w: Tensor) -> Float[Tensor, " n *shape"]:
        """Generate an example from each style, or from one style for each layer, ``(n, layers, d)``."""
        ...


@runtime_checkable
class Critic(Protocol):
    """A network from examples to one unbounded score each; the score of a GAN's discriminator is a logit."""

    shape: Shape

    def __call__(self, x: Float[Tensor, " n *shape"]) -> Float[Tensor, " n"]:
        """Score each example."""
        ...


@runtime_checkable
class Reads(Protocol):
    """A critic that shows what its scores are made from."""

    def read(self, x: Float[Tensor, " n *shape"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples, and return features and further outputs too; ``y`` is read by conditional critics only."""
        ...


@runtime_checkable
class Recognises(Reads, Protocol):
    """A critic with further outputs beside its score, such as logits of classes."""

    outputs: int
    """Number of further outputs."""


@runtime_checkable
class Featured(Reads, Protocol, metaclass=SeesModules):
    """A critic whose scores are a linear layer of its features."""

    @property
    def output(self) -> nn.Linear:
        """The layer, with one output."""
        ...


@runtime_checkable
class Packs(Protocol):
    """A critic that scores consecutive examples together."""

    pack: int
    """Number of examples behind a score."""


@runtime_checkable
class ScoresPatches(Protocol):
    """A critic that gives several scores to each example, one after the other."""

    patches: int
    """Number of scores of an example."""


@runtime_checkable
class Ranged(Protocol):
    """A network that maps the range of pixels to another one before it reads them."""

    zero: float
    """The input that the network reads as 0."""


@runtime_checkable
class Encoder(Protocol):
    r"""A network from examples to :math:`q(z \mid x)` over ``latent_dim`` latents."""

    shape: Shape
    latent_dim: int

    def __call__(self, x: Float[Tensor, " n *shape"]) -> Posterior:
        """Encode each example."""
        ...


@runtime_checkable
class Locates(Protocol):
    """A likelihood that needs another number of channels from the decoder than the example has."""

    def location_shape(self, shape: Shape) -> Shape:
        """Compute the shape of a decoder's output from the shape of one example."""
        ...


@runtime_checkable
class Decoder(Protocol):
    r"""A network from latents to the location of :math:`p(x \mid z)`: unbounded reals, such as a logit or a mean."""

    latent_dim: int
    shape: Shape

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *location"]:
        """Decode each latent."""
        ...


@runtime_checkable
class GridEncoder(Protocol):
    """A network from examples to a grid of vectors."""

    shape: Shape
    latent_dim: int
    """Coordinates of a vector."""
    grid: tuple[int, int]
    """Rows and columns of the grid."""

    def __call__(self, x: Float[Tensor, " n *shape"]) -> Float[Tensor, "n d h w"]:
        """Encode each example."""
        ...


@runtime_checkable
class GridDecoder(Protocol):
    """A network from a grid of vectors to the location of a likelihood: unbounded reals, a logit or a mean."""

    shape: Shape
    latent_dim: int
    """Coordinates of a vector."""
    grid: tuple[int, int]
    """Rows and columns of the grid."""

    def __call__(self, z: Float[Tensor, "n d h w"]) -> Float[Tensor, " n *shape"]:
        """Decode each grid."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """A network from grids of codes to the logits of each code.

    Logits do not depend on their own code and on later ones: row by row, in a row from left to right, at a place level
    by level.
    """

    codes: int
    """Number of values of a code."""
    depth: int
    """Number of codes at a place."""

    def __call__(self, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n l h w k"]:
        """Compute the logits; a grid may lack its last rows."""
        ...


@runtime_checkable
class DrawsRows(Protocol):
    """A predictor that is asked for a row of codes without working through the rows above each time."""

    def row(self, above: Int64[Tensor, "n l r w"]) -> Callable[[Tensor], Tensor]:
        """Return a function from the codes of the next row ``(n, l, 1, w)`` to their logits ``(n, l, 1, w, k)``."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """A network that takes the class of each example as its second argument."""

    classes: int
    """Number of classes; they are numbered from 0."""

    def __call__(self, x: Tensor, y: Int64[Tensor, " n"] | None) -> Any:
        """Return the same as a plain network of this kind."""
        ...


@runtime_checkable
class StartsAtMarginals(Protocol):
    """A network whose output is a logit, so that its bias can start at the logit of the mean training image."""

    def start_at(self, mean: Float[Tensor, " *shape"]) -> None:
        """Set the output bias; ``mean`` is the mean image, pixels in [0, 1]."""
        ...
