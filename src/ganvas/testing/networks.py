"""Contracts of networks: generators, critics, encoders and decoders without conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from ganvas.types import Critic, Decoder, Encoder, Generator

BATCH = 3
Build = Callable[[], Any]
"""Makes the network under test, an ``nn.Module``, from the global random state."""


class NetworkContract:
    """Promises of any network. Derive from the contract of its kind, with a fixture ``build``."""

    protocol: ClassVar[type]

    @pytest.fixture
    def build(self) -> Build:
        """A function that makes the network under test."""
        raise NotImplementedError("override the fixture `build`")

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Inputs that the network takes; here, examples in [-1, 1]."""
        return torch.rand(n, *net.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    def check_output(self, net: Any, output: Any) -> None:
        """Assert what holds for the output of :data:`BATCH` examples."""
        raise NotImplementedError

    @final
    def made(self, build: Build, seed: int) -> Any:
        """Make the network under test with a seed."""
        torch.manual_seed(seed)
        net = build()
        assert isinstance(net, nn.Module)
        return net

    def test_serves(self, build: Build) -> None:
        """The output has the promised shape and range, and every parameter gets a finite gradient that is not 0."""
        net = self.made(build, seed=0)
        keeps = isinstance(net, self.protocol)
        assert keeps and isinstance(net.shape, tuple)
        output = net(self.examples(net, BATCH, seed=1))
        self.check_output(net, output)
        values = tensors(output)
        assert values.dtype == torch.float32 and values.isfinite().all()
        weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(2))
        (values * weights).sum().backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            assert parameter.grad.abs().max() > 0, key

    def test_evaluation_treats_examples_one_by_one(self, build: Build) -> None:
        """In evaluation mode an example has the same output alone as in a batch."""
        net = self.made(build, seed=0)
        with torch.no_grad():
            net(self.examples(net, BATCH, seed=1))  # running statistics leave their start
            net.eval()
            x = self.examples(net, BATCH, seed=3)
            together = tensors(net(x))
            alone = torch.cat([tensors(net(x[i : i + 1])) for i in range(BATCH)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_seed_decides_the_start_and_a_state_dict_restores_it(self, build: Build) -> None:
        """Two networks of one seed are equal, two of different seeds are not until one takes the other's state."""
        net, twin, other = self.made(build, seed=0), self.made(build, seed=0), self.made(build, seed=7)
        states = zip(net.state_dict().values(), twin.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in states)
        x = self.examples(net, BATCH, seed=1)
        with torch.no_grad():
            net.eval(), other.eval()
            assert not torch.equal(tensors(net(x)), tensors(other(x)))
            other.load_state_dict(net.state_dict())
            assert torch.equal(tensors(net(x)), tensors(other(x)))


def tensors(output: Any) -> Tensor:
    """An output as one tensor: a posterior's means beside its standard deviations."""
    return torch.cat([output.mean, output.stddev], 1) if isinstance(output, Independent) else output


def _latents(net: Any, n: int, seed: int) -> Tensor:
    return torch.randn(n, net.latent_dim, generator=torch.Generator().manual_seed(seed))


class GeneratorContract(NetworkContract):
    """Promises of a generator. Derive a class with a fixture ``build``."""

    protocol = Generator

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Latents."""
        return _latents(net, n, seed)

    def check_output(self, net: Any, output: Any) -> None:
        """Examples; images are in [-1, 1]."""
        assert output.shape == (BATCH, *net.shape)
        assert len(net.shape) == 1 or output.abs().max() <= 1

    def test_images_stay_in_range_for_any_latent(self, build: Build) -> None:
        """Images are in [-1, 1] by the network's form, not because its first weights are small."""
        net = self.made(build, seed=0)
        with torch.no_grad():
            self.check_output(net, net(1000 * self.examples(net, BATCH, seed=1)))


class DecoderContract(NetworkContract):
    """Promises of a decoder. Derive a class with a fixture ``build``."""

    protocol = Decoder

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Latents."""
        return _latents(net, n, seed)

    def check_output(self, net: Any, output: Any) -> None:
        """A location for each value of each example."""
        assert output.shape == (BATCH, *net.shape)


class EncoderContract(NetworkContract):
    """Promises of an encoder with a normal posterior. Derive a class with a fixture ``build``."""

    protocol = Encoder

    def check_output(self, net: Any, output: Any) -> None:
        """An independent normal for each example, not validated at each step."""
        assert isinstance(output, Independent) and isinstance(output.base_dist, Normal)
        assert output.batch_shape == (BATCH,) and output.event_shape == (net.latent_dim,)
        assert output.stddev.min() > 0 and not output._validate_args and not output.base_dist._validate_args


class CriticContract(NetworkContract):
    """Promises of a critic. Derive a class with a fixture ``build``."""

    protocol = Critic

    def check_output(self, net: Any, output: Any) -> None:
        """One score for each example."""
        assert output.shape == (BATCH,)

    def test_is_twice_differentiable(self, build: Build) -> None:
        """A penalty on the gradient by the input reaches the weights."""
        net = self.made(build, seed=0).eval()
        x = self.examples(net, BATCH, seed=1).requires_grad_()
        (gradient,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        gradient.square().sum().backward()
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
