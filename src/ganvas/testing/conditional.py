"""Contracts of conditional networks: the contract of the plain kind with classes given, and what the classes do."""

from __future__ import annotations

from typing import Any, final

import pytest
import torch
from torch import Tensor

from ganvas.testing.networks import (
    BATCH,
    Build,
    CriticContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    NetworkContract,
    tensors,
)
from ganvas.types import Conditional


class ConditionalContract(NetworkContract):
    """Contract of what classes do. Derive from the class of the network's kind, with a fixture ``build``."""

    @final
    def awake(self, build: Build) -> Any:
        """Make the network in evaluation mode with weights that have moved: its classes may start alike."""
        net = self.made(build, seed=0)
        keeps = isinstance(net, Conditional)
        assert keeps and net.classes > 1
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
            self.run(net, self.examples(net, 8, seed=2))  # moves running statistics from their initial values
        return net.eval()

    def test_every_class_has_an_output_of_its_own(self, build: Build) -> None:
        """The same input gives another output for each class."""
        net = self.awake(build)
        x = self.examples(net, 1, seed=3)
        with torch.no_grad():
            out = tensors(self.run(net, x.expand(net.classes, *x.shape[1:]), torch.arange(net.classes)))
        for first in range(net.classes):
            for second in range(first):
                assert not torch.allclose(out[first], out[second], rtol=1e-5, atol=1e-7), (first, second)

    def test_every_class_moves_weights_of_its_own(self, build: Build) -> None:
        """Examples of a class give a gradient to some weights that those of no other class give one to."""
        net = self.awake(build)
        moved = torch.stack([self._moved(net, y) for y in range(net.classes)])
        for y, own in enumerate(moved):
            assert (own & (moved.sum(0) == 1)).any(), f"class {y} has no weights of its own"

    def _moved(self, net: Any, y: int) -> Tensor:
        """Whether each weight has a gradient from examples of a class."""
        net.zero_grad()
        out = tensors(self.run(net, self.examples(net, BATCH, seed=4), torch.full((BATCH,), y)))
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
        return torch.cat([parameter.grad.flatten() != 0 for parameter in net.parameters()])

    def test_a_class_that_it_does_not_know_is_refused(self, build: Build) -> None:
        """A label outside of the classes is an error and no silent guess."""
        net = self.made(build, seed=0).eval()
        with pytest.raises((RuntimeError, IndexError)):
            self.run(net, self.examples(net, BATCH, seed=1), torch.full((BATCH,), net.classes))


class ConditionalGeneratorContract(ConditionalContract, GeneratorContract):
    """Contract of a generator of latents and classes. Derive a class with a fixture ``build``."""


class ConditionalCriticContract(ConditionalContract, CriticContract):
    """Contract of a critic of examples and classes. Derive a class with a fixture ``build``."""


class ConditionalEncoderContract(ConditionalContract, EncoderContract):
    """Contract of an encoder of examples and classes. Derive a class with a fixture ``build``."""


class ConditionalDecoderContract(ConditionalContract, DecoderContract):
    """Contract of a decoder of latents and classes. Derive a class with a fixture ``build``."""
