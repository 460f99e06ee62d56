"""Contracts of networks: generators, critics, encoders and decoders, plain or conditional on a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from ganvas.types import Conditional, Critic, Decoder, Encoder, Generator, Reads, ScoresPatches

BATCH = 3
Build = Callable[[], Any]
"""Makes the network under test, an ``nn.Module``, with weights drawn from the global random state."""


class NetworkContract:
    """Contract of any network. Derive a class from the contract of the network's kind, with a fixture ``build``."""

    protocol: ClassVar[type]

    @pytest.fixture
    def build(self) -> Build:
        """Return a function that makes the network under test."""
        raise NotImplementedError("override the fixture `build`")

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Draw inputs for the network; by default examples in [-1, 1]."""
        return torch.rand(n, *net.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    def check_output(self, net: Any, output: Any) -> None:
        """Check the output for :data:`BATCH` inputs."""
        raise NotImplementedError

    @final
    def run(self, net: Any, x: Tensor, y: Tensor | None = None) -> Any:
        """Call the network, with classes if it is conditional; by default the classes take turns."""
        if not isinstance(net, Conditional):
            return net(x)
        return net(x, torch.arange(len(x)) % net.classes if y is None else y)

    @final
    def made(self, build: Build, seed: int) -> Any:
        """Make the network under test with a seed."""
        torch.manual_seed(seed)
        net = build()
        assert isinstance(net, nn.Module)
        return net

    def test_serves(self, build: Build) -> None:
        """The output has the promised shape and range, and every parameter gets a finite gradient that is not 0.

        Parameters that start at 0 are drawn before: a factor of 0, such as the weight of an attention, or the last
        layer of a branch, lets no gradient through to what it multiplies.
        """
        net = self.made(build, seed=0)
        keeps = isinstance(net, self.protocol)
        assert keeps and isinstance(getattr(net, "shape", ()), tuple)
        output = self.run(net, self.examples(net, BATCH, seed=1))
        self.check_output(net, output)
        values = tensors(output)
        assert values.dtype == torch.float32 and values.isfinite().all()
        opened(net)
        values = tensors(self.run(net, self.examples(net, BATCH, seed=1)))
        weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(2))
        (values * weights).sum().backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            assert parameter.grad.abs().max() > 0, key

    def test_evaluation_treats_examples_one_by_one(self, build: Build) -> None:
        """In evaluation mode the output of an example does not depend on the other examples of the batch.

        A network that couples examples by design says so: one of its modules has an attribute ``couples`` that is
        true, such as :class:`~ganvas.networks.minibatch_std.MinibatchStd`; its outputs must then depend on the batch.
        """
        net = self.made(build, seed=0)
        with torch.no_grad():
            self.run(net, self.examples(net, BATCH, seed=1))  # moves running statistics from their initial values
            net.eval()
            x = self.examples(net, BATCH, seed=3)
            together = tensors(self.run(net, x))
            y = torch.arange(BATCH) % getattr(net, "classes", BATCH)
            alone = torch.cat([tensors(self.run(net, x[i : i + 1], y[i : i + 1])) for i in range(BATCH)])
        if any(getattr(module, "couples", False) for module in net.modules()):
            assert not torch.allclose(together, alone, rtol=1e-4, atol=1e-5)
        else:
            torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_seed_decides_the_start_and_a_state_dict_restores_it(self, build: Build) -> None:
        """Equal seeds give equal networks; a network with another seed becomes equal by loading the state dict."""
        net, twin, other = self.made(build, seed=0), self.made(build, seed=0), self.made(build, seed=7)
        states = zip(net.state_dict().values(), twin.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in states)
        x = self.examples(net, BATCH, seed=1)
        with torch.no_grad():
            net.eval(), other.eval()
            assert not torch.equal(tensors(self.run(net, x)), tensors(self.run(other, x)))
            other.load_state_dict(net.state_dict())
            assert torch.equal(tensors(self.run(net, x)), tensors(self.run(other, x)))


def opened(net: nn.Module) -> None:
    """Draw the parameters of which every number is 0, in place."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))


def tensors(output: Any) -> Tensor:
    """Convert an output to one tensor; a posterior becomes its means and standard deviations, concatenated."""
    return torch.cat([output.mean, output.stddev], 1) if isinstance(output, Independent) else output


def _latents(net: Any, n: int, seed: int) -> Tensor:
    return torch.randn(n, net.latent_dim, generator=torch.Generator().manual_seed(seed))


class GeneratorContract(NetworkContract):
    """Contract of a generator. Derive a class with a fixture ``build``."""

    protocol = Generator

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Draw latents."""
        return _latents(net, n, seed)

    def check_output(self, net: Any, output: Any) -> None:
        """Check shape and range: in evaluation mode images are in [-1, 1]; in training a linear output may leave it."""
        assert output.shape == (BATCH, *net.shape)
        assert len(net.shape) == 1 or net.training or output.abs().max() <= 1

    def test_images_stay_in_range_for_any_latent(self, build: Build) -> None:
        """Images stay in [-1, 1] for large latents too, not only because the initial weights are small."""
        net = self.made(build, seed=0)
        z = 1000 * self.examples(net, BATCH, seed=1)
        with torch.no_grad():
            self.run(net, z)  # moves running statistics to the scale of these latents
            self.check_output(net, self.run(net.eval(), z))


class DecoderContract(NetworkContract):
    """Contract of a decoder. Derive a class with a fixture ``build``."""

    protocol = Decoder

    def examples(self, net: Any, n: int, seed: int) -> Tensor:
        """Draw latents."""
        return _latents(net, n, seed)

    def check_output(self, net: Any, output: Any) -> None:
        """Check that there is a location for each coordinate of each example."""
        assert output.shape == (BATCH, *net.shape)


class EncoderContract(NetworkContract):
    """Contract of an encoder with a normal posterior. Derive a class with a fixture ``build``."""

    protocol = Encoder

    def check_output(self, net: Any, output: Any) -> None:
        """Check that each example has an independent normal, without argument validation, which would cost time."""
        assert isinstance(output, Independent) and isinstance(output.base_dist, Normal)
        assert output.batch_shape == (BATCH,) and output.event_shape == (net.latent_dim,)
        assert output.stddev.min() > 0 and not output._validate_args and not output.base_dist._validate_args


class CriticContract(NetworkContract):
    """Contract of a critic. Derive a class with a fixture ``build``."""

    protocol = Critic

    def check_output(self, net: Any, output: Any) -> None:
        """Check that there is one score for each example, or for each patch of it."""
        assert output.shape == (BATCH * (net.patches if isinstance(net, ScoresPatches) else 1),)

    def test_is_twice_differentiable(self, build: Build) -> None:
        """A penalty on the gradient with respect to the input has a gradient with respect to the weights."""
        net = self.made(build, seed=0).eval()
        x = self.examples(net, BATCH, seed=1).requires_grad_()
        (gradient,) = torch.autograd.grad(self.run(net, x).sum(), x, create_graph=True)
        gradient.square().sum().backward()
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())

    def test_shows_what_its_scores_are_made_from(self, build: Build) -> None:
        """A critic that can be read says there what it says elsewhere, and shows features of each example."""
        net = self.made(build, seed=0).eval()
        if not isinstance(net, Reads):
            return
        x = self.examples(net, BATCH, seed=1)
        y = torch.arange(BATCH) % net.classes if isinstance(net, Conditional) else None
        with torch.no_grad():
            said = net.read(x, y)
            assert torch.equal(said.scores, self.run(net, x))
        assert said.features is not None and said.features.ndim == 2 and len(said.features) == BATCH
        assert said.recognised is None or said.recognised.shape[0] == BATCH
