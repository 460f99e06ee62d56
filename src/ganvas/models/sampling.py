r"""Sampling from a model: a function of weights, seed, classes and the options that :class:`Sampling` lists.

With truncation :math:`\psi`, latents come from the truncated normal (:mod:`ganvas.latents.truncated`). A generator with
styles is truncated in the space of styles instead, around their mean:

.. math:: w' = \bar w + \psi \, (w - \bar w).

Reference: Karras et al. 2019, section B, https://arxiv.org/abs/1812.04948.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from ganvas.display import counted
from ganvas.latents.truncated import truncated
from ganvas.models.modes import evaluating
from ganvas.models.resumable import Resumable
from ganvas.models.standing import STANDING_BATCH, STANDING_SEED, Inputs, normalisations, with_standing_statistics
from ganvas.types import Conditional, DrawsLatents, LatentDistribution, Styled

SAMPLE_BATCH = 500
LATENTS = 100_000
"""Number of latents that are drawn at a time, so that memory does not grow with the number of examples."""
LABELS = 0x1ABE15
"""Combined with the seed for labels, so that labels and latents come from different random streams."""


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A distribution of latents that was fitted after the training, in the place of the prior.

    Args:
        latents: the distribution.
        stated: how it was fitted, as protocols state it; ``kind`` names the sampler.
    """

    latents: DrawsLatents
    stated: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Sampling:
    r"""Options of sampling; None leaves each out.

    Args:
        ema: relative width :math:`\sigma_{rel}` of the post-hoc average of the weights that sample.
        standing: number of batches of standing statistics, at least 1.
        truncation: threshold of the latents, or factor :math:`\psi` of the styles; positive.
        sampler: what latents are drawn from in the place of the prior.

    Raises:
        ValueError: a value out of range, or options that exclude each other.
    """

    ema: float | None = None
    standing: int | None = None
    truncation: int | float | None = None
    sampler: Fitted | None = None

    def __post_init__(self) -> None:
        if self.standing is not None and self.standing < 1:
            raise ValueError(f"standing={self.standing}: expected at least 1 batch; write standing=16, or leave it out")
        for name, value in (("ema", self.ema), ("truncation", self.truncation)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}={value}: expected a number above 0; leave it out for none")
        if self.sampler is not None and self.truncation is not None:
            raise ValueError(
                f"truncation={self.truncation}: it cuts off the tails of the prior, and latents are drawn from "
                f"sampler={self.sampler.stated['kind']}; leave one of the two out"
            )

    def given(self) -> dict[str, Any]:
        """Return the given options by name."""
        fitted = None if self.sampler is None else dict(self.sampler.stated)
        named = {"ema": self.ema, "standing": self.standing, "truncation": self.truncation, "sampler": fitted}
        return {name: value for name, value in named.items() if value is not None}

    def conditions(self, drawn: bool) -> dict[str, Any]:
        """Return what a score depends on, as its protocol states it; empty if no option is given.

        Args:
            drawn: whether the score is that of samples, on which all options act, or of the weights alone.
        """
        stated = self.given() if drawn else Sampling(ema=self.ema).given()
        if "standing" in stated:
            stated["standing"] = f"{self.standing} batches of {STANDING_BATCH}"
        return {"sampling": stated} if stated else {}


PLAIN: Final = Sampling()
"""No option."""


class Samples(Resumable, ABC):
    """Abstract: a module that draws examples by one of its networks.

    Attributes:
        classes: number of classes of a conditional model, else None.
        label_marginal: frequencies of the classes in the training data; of a conditional model only.
    """

    classes: int | None
    label_marginal: Tensor
    decoding: ClassVar[str]
    """Name of the network that :meth:`decode` runs."""

    def __init__(self) -> None:
        super().__init__()
        self._prepared: dict[str, nn.Module] = {}

    @abstractmethod
    def decode(self, z: Shaped[Tensor, "n *latent"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, " n *shape"]:
        """Decode latents (and classes) to examples in [-1, 1], by averaged weights if they are kept."""

    @property
    @abstractmethod
    def prior(self) -> LatentDistribution:
        """Distribution that latents are drawn from; a learned one with averaged weights if they are kept."""

    @abstractmethod
    def evaluated(self, name: str) -> nn.Module:
        """Return the network ``name`` with averaged weights, or with its own where no average is kept."""

    def part(self, name: str) -> nn.Module:
        """Return the network that evaluation uses: :meth:`evaluated`, or what options of sampling have made of it."""
        return self._prepared[name] if name in self._prepared else self.evaluated(name)

    def call(self, network: Any, x: Tensor, y: Int64[Tensor, " n"] | None) -> Any:
        """Run a network, with the classes if it is conditional; nothing else calls a network.

        Args:
            network: plain, ``network(x)``, or conditional, ``network(x, y)``.
            x: examples or latents.
            y: class of each; None if the data have no classes.
        """
        return network(x, y) if self.conditional(network) else network(x)

    @staticmethod
    def conditional(network: Any) -> bool:
        """Whether a network takes the class of each example."""
        return isinstance(network, Conditional)

    def sample(
        self, n: int, seed: int, y: Int64[Tensor, " n"] | None = None, sampling: Sampling = PLAIN
    ) -> Float[Tensor, " n *shape"]:
        """Draw ``n`` examples in [-1, 1]: a function of weights and arguments; no global generator is touched.

        Args:
            n: number of examples, at least 1.
            seed: of the latents, drawn on the CPU so that devices agree.
            y: class of each example, for a conditional model; None draws classes as often as in the training data.
            sampling: options; the weights are those that the model has, whatever ``sampling.ema`` says.
        """
        return self.sample_part(n, seed, slice(None), y, sampling)

    def sample_part(
        self, n: int, seed: int, part: slice, y: Int64[Tensor, " n"] | None = None, sampling: Sampling = PLAIN
    ) -> Float[Tensor, " m *shape"]:
        """Draw some of the ``n`` examples that :meth:`sample` gives, so that processes can share them.

        Args:
            n: number of all examples.
            seed: see :meth:`sample`.
            part: positions of the examples to draw, at least one.
            y: class of each of all ``n`` examples, see :meth:`sample`.
            sampling: see :meth:`sample`.
        """
        y = self.draw_labels(n, seed) if y is None else y
        z = torch.cat(list(self._latents(n, seed, sampling)))
        return self.decoded(z[part], None if y is None else y[part], sampling)

    def sampled(
        self, n: int, seed: int, start: int = 0, stop: int | None = None, sampling: Sampling = PLAIN
    ) -> Iterator[Float[Tensor, " m *shape"]]:
        """Yield some of the ``n`` examples that :meth:`sample` gives, :data:`SAMPLE_BATCH` at a time.

        Args:
            n: number of all examples.
            seed: see :meth:`sample`.
            start: position of the first example, a multiple of :data:`SAMPLE_BATCH`.
            stop: position behind the last one; None takes ``n``.
            sampling: see :meth:`sample`.
        """
        y, stop, before = self.draw_labels(n, seed), n if stop is None else stop, 0
        with torch.no_grad(), evaluating(self):
            prepared = self._prepare(sampling)
        for z in self._latents(n, seed, sampling):
            for at in range(max(start - before, 0), min(stop - before, len(z)), SAMPLE_BATCH):
                rows = slice(at, min(at + SAMPLE_BATCH, stop - before, len(z)))
                labels = None if y is None else y[before + rows.start : before + rows.stop].to(self.device)
                with torch.no_grad(), evaluating(self), self._using(prepared):
                    examples = self.decode(z[rows].to(self.device), labels)
                yield examples  # outside the block, whose modes are not those of whoever takes the examples
            before += len(z)
            if before >= stop:
                return

    def _latents(self, n: int, seed: int, sampling: Sampling) -> Iterator[Shaped[Tensor, "m *latent"]]:
        """Draw ``n`` latents from one random stream, :data:`LATENTS` at a time."""
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, n, LATENTS):
            with evaluating(self):  # a learned prior draws by a network
                z = self.prior_of(sampling).sample(min(LATENTS, n - start), generator=generator)
            yield z

    def draw_labels(self, n: int, seed: int) -> Int64[Tensor, " n"] | None:
        """Draw classes as often as in the training data; None for an unconditional model.

        Args:
            n: number of labels.
            seed: seed of the examples that the labels belong to.
        """
        if self.classes is None:
            return None
        generator = torch.Generator().manual_seed(seed ^ LABELS)
        return torch.multinomial(self.label_marginal.cpu(), n, replacement=True, generator=generator)

    def decoded(
        self, z: Shaped[Tensor, "n *latent"], y: Int64[Tensor, " n"] | None = None, sampling: Sampling = PLAIN
    ) -> Float[Tensor, " n *shape"]:
        """Decode latents, at least one, as :meth:`sample` does: in evaluation mode, without gradients.

        Args:
            z: latents.
            y: class of each, for a conditional model.
            sampling: options; latents are decoded as they are.
        """
        ys = [None] * -(-len(z) // SAMPLE_BATCH) if y is None else y.to(self.device).split(SAMPLE_BATCH)
        chunks = zip(counted("samples drawn", z.split(SAMPLE_BATCH), len(z)), ys, strict=True)
        with torch.no_grad(), evaluating(self), self._prepared_by(sampling):
            return torch.cat([self.decode(chunk.to(self.device), labels) for chunk, labels in chunks])

    def require(self, sampling: Sampling) -> None:
        """Check that the options act on this model.

        Args:
            sampling: options of sampling.

        Raises:
            ValueError: statistics of a network without batch normalisation, or truncation of a prior without tails.
        """
        self.prior_of(sampling)
        if sampling.standing is not None and not normalisations(self.part(self.decoding)):
            raise ValueError(
                f"standing={sampling.standing}: the {self.decoding} has no batch normalisation, expected one whose "
                "statistics can be computed anew; leave standing out"
            )

    def prior_of(self, sampling: Sampling) -> DrawsLatents:
        """Return what latents are drawn from: the prior, truncated unless truncation acts on styles, or a sampler.

        Args:
            sampling: options of sampling.

        Raises:
            ValueError: the prior cannot be truncated.
        """
        if sampling.sampler is not None:
            return sampling.sampler.latents
        if sampling.truncation is None or isinstance(self.part(self.decoding), Styled):
            return self.prior
        return truncated(self.prior, sampling.truncation)

    @contextmanager
    def _prepared_by(self, sampling: Sampling) -> Iterator[None]:
        """Let :meth:`part` give, inside the block, the decoding network as the options make it."""
        with self._using(self._prepare(sampling)):
            yield

    def _prepare(self, sampling: Sampling) -> nn.Module:
        """Make the decoding network that the options ask for."""
        self.require(sampling)
        network = self.part(self.decoding)
        if sampling.truncation is not None and isinstance(network, Styled):
            network = _TruncatedStyles(network, sampling.truncation)
        if sampling.standing is not None:
            network = with_standing_statistics(network, self._standing_inputs(sampling), self.call)
        return network

    @contextmanager
    def _using(self, network: nn.Module) -> Iterator[None]:
        """Let :meth:`part` give, inside the block, this network for decoding."""
        self._prepared[self.decoding] = network
        try:
            yield
        finally:
            del self._prepared[self.decoding]

    def _standing_inputs(self, sampling: Sampling) -> Iterator[Inputs]:
        assert sampling.standing is not None
        n = sampling.standing * STANDING_BATCH
        z = self.prior_of(sampling).sample(n, generator=torch.Generator().manual_seed(STANDING_SEED))
        labels = self.draw_labels(n, STANDING_SEED)
        for batch in torch.arange(n).split(STANDING_BATCH):
            yield z[batch].to(self.device), None if labels is None else labels[batch].to(self.device)


@final
class _TruncatedStyles(nn.Module):
    """A generator whose styles are drawn towards their mean; conditional if the generator is."""

    def __init__(self, generator: Any, psi: float) -> None:
        super().__init__()
        self.generator, self.psi = generator, psi
        if isinstance(generator, Conditional):
            self.classes = generator.classes

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, " n *shape"]:
        return self.generator.synthesise(truncated_styles(self.generator, self.generator.style(z, y), self.psi))


def truncated_styles(generator: Styled, w: Float[Tensor, "n ..."], psi: float) -> Float[Tensor, "n ..."]:
    r"""Draw styles towards their mean, :math:`\bar w + \psi (w - \bar w)`.

    Args:
        generator: it knows the mean.
        w: styles.
        psi: :math:`\psi`, 1 changes nothing.
    """
    mean = generator.mean_style()
    return mean + psi * (w - mean)
