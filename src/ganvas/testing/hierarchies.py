"""Contract of networks with several groups of latents."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.latents.hierarchy import divergences, mean_of, noise_of
from ganvas.testing.networks import BATCH, Build, opened
from ganvas.types import Hierarchy, Inferred

DRAWS = 2


class HierarchyContract:
    """Contract of a hierarchy. Derive a class with a fixture ``build``."""

    @pytest.fixture
    def build(self) -> Build:
        """Return a function that makes the network under test, with weights from the global random state."""
        raise NotImplementedError("override the fixture `build`")

    def test_serves(self, build: Build) -> None:
        """Every draw has a location and finite normals of the stated sizes, and every parameter gets a gradient."""
        net = _made(build, seed=0)
        keeps = isinstance(net, Hierarchy)
        assert keeps and isinstance(net.shape, tuple) and isinstance(net.groups, tuple)
        opened(net)
        found = _inferred(net)
        assert found.location.shape[0] == DRAWS * BATCH
        sizes = [group.z.flatten(1).shape for group in found.groups]
        assert sizes == [(DRAWS * BATCH, size) for size in net.groups]
        for group in found.groups:
            assert group.prior.loc.shape == group.posterior.loc.shape == group.z.shape
            assert group.prior.scale.min() > 0 and group.posterior.scale.min() > 0
            assert group.z.dtype == group.prior.loc.dtype == torch.float32 and not group.prior._validate_args
        weights = torch.randn(found.location.shape, generator=torch.Generator().manual_seed(2))
        ((found.location * weights).sum() + divergences(found.groups).sum()).backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            assert parameter.grad.abs().max() > 0, key

    def test_generation_goes_the_way_of_inference(self, build: Build) -> None:
        """The noise of draws generates what their inference put out, and any noise generates in the same shape."""
        net = _evaluated(build)
        with torch.no_grad():
            found = _inferred(net)
            torch.testing.assert_close(net(noise_of(found.groups)), found.location, rtol=1e-4, atol=1e-5)
            noise = torch.randn(BATCH, sum(net.groups), generator=torch.Generator().manual_seed(5))
            assert net(noise).shape == found.location[:BATCH].shape
            assert not torch.allclose(net(noise)[0], net(noise)[1])

    def test_groups_are_drawn_from_the_top(self, build: Build) -> None:
        """The top prior is the same for all draws; that of the last group depends on them, if there are several."""
        net = _evaluated(build)
        with torch.no_grad():
            top, *_, last = [group.prior for group in _inferred(net).groups for _ in range(2)]
        assert torch.cat([top.loc, top.scale], 1).std(0).max() < 1e-6
        assert len(net.groups) == 1 or last.loc.std(0).max() > 1e-3

    def test_draws_of_an_example_are_its_own(self, build: Build) -> None:
        """Row ``i * n + j`` belongs to example j: without noise all its draws agree, whatever the other examples."""
        net = _evaluated(build)
        x = _examples(net)
        with torch.no_grad():
            together = net.infer(x, DRAWS, mean_of).location.unflatten(0, (DRAWS, BATCH))
            torch.testing.assert_close(together[0], together[1], rtol=1e-4, atol=1e-5)
            alone = torch.cat([net.infer(x[i : i + 1], 1, mean_of).location for i in range(BATCH)])
        torch.testing.assert_close(together[0], alone, rtol=1e-4, atol=1e-5)

    def test_seed_decides_the_start_and_a_state_dict_restores_it(self, build: Build) -> None:
        """Equal seeds give equal networks; a network with another seed becomes equal by loading the state dict."""
        net, twin, other = _made(build, 0).eval(), _made(build, 0), _made(build, 7).eval()
        states = zip(net.state_dict().values(), twin.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in states)
        with torch.no_grad():
            wanted = _inferred(net).location
            assert not torch.equal(wanted, _inferred(other).location)
            other.load_state_dict(net.state_dict())
            assert torch.equal(wanted, _inferred(other).location)


def _made(build: Build, seed: int) -> Any:
    torch.manual_seed(seed)
    net = build()
    assert isinstance(net, nn.Module)
    return net


def _evaluated(build: Build) -> Any:
    """Make a network whose parameters all act, in evaluation mode, with running statistics that have moved."""
    net = _made(build, seed=0)
    opened(net)
    with torch.no_grad():
        _inferred(net)
    return net.eval()


def _examples(net: Any) -> Tensor:
    return torch.rand(BATCH, *net.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _inferred(net: Any, seed: int = 4) -> Inferred:
    torch.manual_seed(seed)
    found = net.infer(_examples(net), DRAWS, lambda posterior: posterior.rsample())
    assert isinstance(found, Inferred)
    return found
