r"""Wrappers that make a plain network conditional on a class :math:`y \in \{0, \dots, K - 1\}`.

Concatenation gives the class to the network as further inputs, with :math:`e_y` the one-hot vector of the class:

.. math:: G(z, y) = g([z, e_y]), \qquad D(x, y) = d([x, e_y]), \qquad q(z \mid x, y) = q(z \mid [x, e_y]),

where each coordinate of :math:`e_y` becomes a constant channel of an image, or one coordinate more of a point. The
projection critic compares an embedding :math:`v_y` of the class with the features :math:`h(x)`:

.. math:: D(x, y) = w \cdot h(x) + b + v_y \cdot h(x).

Reference: Mirza & Osindero 2014, section 3, https://arxiv.org/abs/1411.1784 (concatenation); Sohn et al. 2015,
section 4, https://papers.nips.cc/paper/5775 (encoder and decoder); Miyato & Koyama 2018, eq. 3,
https://arxiv.org/abs/1802.05637 (projection).
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganvas.networks.critic import judged
from ganvas.networks.init import glorot_uniform_
from ganvas.types import (
    Critic,
    Decoder,
    Encoder,
    Featured,
    Generator,
    Judged,
    NamesPosterior,
    Packs,
    Posterior,
    PosteriorFamily,
    Ranged,
    StartsAtMarginals,
)


class LabelledGenerator(nn.Module):
    """A conditional generator, made from a plain one that takes latents and one-hot classes side by side.

    Args:
        generator: generator whose latents have the prior's dimensions and ``labels`` more.
        labels: number of classes :math:`K`, at least 1.

    Raises:
        ValueError: no class, or a generator whose latents have no room for the classes and a latent.
    """

    def __init__(self, generator: Generator, labels: int) -> None:
        super().__init__()
        fix = "build the generator with ${generator_latents:} latents (network.generator.latent_dim)"
        _require_room("generator", generator.latent_dim, "latents", labels, fix)
        self.generator = cast(nn.Module, generator)
        self.classes = labels
        self.latent_dim = generator.latent_dim - labels
        self.shape = generator.shape
        if isinstance(generator, StartsAtMarginals):
            self.start_at = generator.start_at

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n ..."]:
        """Generate an example of class ``y`` from each latent."""
        return self.generator(_latents_and_classes(z, y, self.classes))


class LabelledDecoder(nn.Module):
    """A conditional decoder, made from a plain one that takes latents and one-hot classes side by side.

    Args:
        decoder: decoder whose latents have the prior's dimensions and ``labels`` more.
        labels: number of classes :math:`K`, at least 1.

    Raises:
        ValueError: no class, or a decoder whose latents have no room for the classes and a latent.
    """

    def __init__(self, decoder: Decoder, labels: int) -> None:
        super().__init__()
        _require_room("decoder", decoder.latent_dim, "latents", labels, "build it with latent_dim: ${decoder_latents:}")
        self.decoder = cast(nn.Module, decoder)
        self.classes = labels
        self.latent_dim = decoder.latent_dim - labels
        self.shape = decoder.shape
        if isinstance(decoder, StartsAtMarginals):
            self.start_at = decoder.start_at

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n ..."]:
        """Compute the location of an example of class ``y`` from each latent."""
        return self.decoder(_latents_and_classes(z, y, self.classes))


class LabelledEncoder(nn.Module):
    """A conditional encoder, made from a plain one that takes examples and one-hot classes side by side.

    Args:
        encoder: encoder of examples with ``labels`` more channels, or coordinates of a point, than the data have.
        labels: number of classes :math:`K`, at least 1.

    Raises:
        ValueError: no class, or an encoder whose input has no room for the classes and an example.
    """

    def __init__(self, encoder: Encoder, labels: int) -> None:
        super().__init__()
        channels, *size = encoder.shape
        _require_room("encoder", channels, "channels", labels, "build the encoder with shape: ${encoder_shape:}")
        self.encoder = cast(nn.Module, encoder)
        self.classes = labels
        self.latent_dim = encoder.latent_dim
        self.shape = (channels - labels, *size)
        self._zero = encoder.zero if isinstance(encoder, Ranged) else 0.0

    @property
    def posterior(self) -> PosteriorFamily:
        """Family of the posteriors of an encoder that names one."""
        return cast(NamesPosterior, self.encoder).posterior

    def forward(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"]) -> Posterior:
        """Compute the posterior of each example of class ``y``."""
        return self.encoder(_example_and_class(x, y, self.classes, self._zero))


class LabelledCritic(nn.Module):
    """A conditional critic, made from a plain one that takes examples and one-hot classes side by side.

    Around a :class:`~ganvas.networks.Packed` critic, each example of a pack has the channels of its own class.

    Args:
        critic: critic of examples with ``labels`` more channels, or coordinates of a point, than the data have.
        labels: number of classes :math:`K`, at least 1.

    Raises:
        ValueError: no class, or a critic whose input has no room for the classes and an example.
    """

    def __init__(self, critic: Critic, labels: int) -> None:
        super().__init__()
        channels, *size = critic.shape
        _require_room("critic", channels, "channels", labels, "build the critic with shape: ${critic_shape:}")
        self.critic = cast(nn.Module, critic)
        self.classes = labels
        self.shape = (channels - labels, *size)
        self.pack = critic.pack if isinstance(critic, Packs) else 1
        self._zero = critic.zero if isinstance(critic, Ranged) else 0.0

    def forward(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"]) -> Float[Tensor, " m"]:
        """Score examples of classes ``y``; there is one score for each, or for each pack."""
        return self.critic(_example_and_class(x, y, self.classes, self._zero))

    def read(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples of classes ``y``, and return what the critic shows."""
        assert y is not None
        return judged(self.critic, _example_and_class(x, y, self.classes, self._zero))


class ProjectionCritic(nn.Module):
    r"""The projection critic :math:`D(x, y) = w \cdot h(x) + b + v_y \cdot h(x)`.

    The embeddings start Glorot uniform, as in the authors' code; ``constraint=spectral_norm`` normalises them too.

    Args:
        critic: critic that shows its features :math:`h(x)` and the layer ``output`` that follows them.
        classes: number of classes :math:`K`, at least 1.

    Raises:
        ValueError: no class, or a critic that shows no features of single examples.
    """

    def __init__(self, critic: Critic, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"argument `classes` is {classes}; expected at least 1. Fix: write classes=null.")
        self.critic = cast(nn.Module, critic)
        self.classes = classes
        self.shape = critic.shape
        self.embedding = nn.Embedding(classes, feature_count(critic))
        glorot_uniform_(self.embedding.weight, 1.0)

    @property
    def output(self) -> nn.Linear:
        """The critic's last layer, without the classes."""
        return cast(nn.Linear, self.critic.output)

    def forward(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Score examples of classes ``y``."""
        return self.read(x, y).scores

    def read(self, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples of classes ``y``, and return their features."""
        assert y is not None
        said = judged(self.critic, x)
        assert said.features is not None
        return Judged(said.scores + (self.embedding(y) * said.features).sum(1), said.features, said.recognised)


def feature_count(critic: Critic) -> int:
    """Count the features that a critic shows of a single example.

    Args:
        critic: a critic or a wrapper of one.

    Raises:
        ValueError: the critic shows none, or scores several examples together.
    """
    if isinstance(critic, Packs) and critic.pack > 1:
        raise ValueError(
            f"argument `critic` packs {critic.pack} examples, which have several classes; expected a critic of single "
            "examples. Fix: give the classes as channels (ganvas.networks.LabelledCritic around Packed)."
        )
    if not isinstance(critic, Featured):
        raise ValueError(
            f"argument `critic` is a {type(critic).__name__}, which shows no features; expected a critic with `read` "
            "and a last layer `output`. Fix: derive it from ganvas.networks.critic.FeatureCritic."
        )
    return critic.output.in_features


def _latents_and_classes(z: Tensor, y: Tensor, classes: int) -> Tensor:
    return torch.cat([z, one_hot(y, classes).to(z.dtype)], 1)


def _example_and_class(x: Tensor, y: Tensor, classes: int, zero: float) -> Tensor:
    """Join examples with a channel for each class, whose values the network reads as 0 and 1.

    A network of another range of pixels changes the range of these channels too; ``zero`` is what it reads as 0.
    """
    labels = one_hot(y, classes).to(x.dtype) * (1 - zero) + zero
    return torch.cat([x, labels.reshape(*labels.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])], 1)


def _require_room(argument: str, inputs: int, what: str, labels: int, fix: str) -> None:
    """Refuse a number of classes below 1, or above what the wrapped network takes."""
    if not 1 <= labels < inputs:
        raise ValueError(
            f"argument `labels` is {labels}, and the {argument} takes {inputs} {what}; expected from 1 to {inputs - 1} "
            f"classes, since the {what} of an example come on top. Fix: {fix}."
        )
