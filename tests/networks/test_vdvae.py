"""The very deep VAE: its grids, its first state, and the order of its groups."""

from functools import partial

import pytest
import torch
from torch import nn

from ganvas.latents.hierarchy import noise_of
from ganvas.networks import vdvae
from ganvas.networks.init import uniform_

BOUND = 0.5


def network(shape=(1, 8, 6), blocks=(1, 2, 1), encoder_blocks=(1, 1, 2), likelihood=None):
    init = partial(uniform_, bound=BOUND)
    return vdvae.VDVAE(shape, blocks, encoder_blocks, 8, 4, 3, "GELU", init, likelihood)


@pytest.mark.parametrize(
    ("shape", "count", "sizes"),
    [
        ((1, 28, 28), 5, [(1, 1), (4, 4), (7, 7), (14, 14), (28, 28)]),
        ((3, 32, 32), 5, [(1, 1), (4, 4), (8, 8), (16, 16), (32, 32)]),
        ((1, 28, 20), 5, [(1, 1), (4, 3), (7, 5), (14, 10), (28, 20)]),
        ((1, 5, 5), 2, [(1, 1), (5, 5)]),
    ],
)
def test_grids_are_halves_of_the_image_and_one_place(shape, count, sizes):
    assert vdvae.grids(shape, count) == sizes


def test_groups_go_from_one_place_to_the_image():
    net = network()
    assert net.groups == (3, 3 * 4 * 3, 3 * 4 * 3, 3 * 8 * 6)
    found = net.infer(torch.rand(2, 1, 8, 6), 1, lambda posterior: posterior.rsample())
    assert [tuple(group.z.shape[1:]) for group in found.groups] == [(3, 1, 1), (3, 4, 3), (3, 4, 3), (3, 8, 6)]
    assert found.location.shape == (2, 1, 8, 6)


def test_every_prior_starts_at_the_standard_normal():
    torch.manual_seed(0)
    net = network()
    found = net.infer(torch.rand(2, 1, 8, 6), 1, lambda posterior: posterior.rsample())
    for group in found.groups:
        assert not group.prior.loc.any() and (group.prior.scale == 1).all()
        assert group.posterior.loc.std() > 0
    assert torch.equal(noise_of(found.groups), torch.cat([group.z.flatten(1) for group in found.groups], 1))


def test_the_ends_of_branches_start_small():
    net = network()
    blocks = [block for grid in net.decoder for block in grid]
    branches = [branch for grid in net.encoder for branch in grid]
    assert len(blocks) == len(branches) == 4
    small = [*(block.residual.last for block in blocks), *(block.project for block in blocks)]
    for layer in [*small, *(branch.last for branch in branches)]:
        assert 0.9 * BOUND / 2 < layer.weight.abs().max() <= BOUND / 2  # 1 / sqrt(4)
    for block in blocks:
        assert not block.prior.last.weight.any()
        assert block.posterior.last.weight.abs().max() > 0.9 * BOUND
    assert net.output.weight.abs().max() > 0.7 * BOUND


def test_small_grids_have_no_wide_kernels():
    kernels = [{c.kernel_size for c in grid.modules() if isinstance(c, nn.Conv2d)} for grid in network().decoder]
    assert kernels == [{(1, 1)}, {(1, 1), (3, 3)}, {(1, 1), (3, 3)}]


def test_a_place_is_seen_by_the_places_near_it_and_the_last_group_by_no_other_group():
    """Noise of the last group at one place changes the image around it only, and a prior of the first group nothing."""
    torch.manual_seed(0)
    net = network((1, 16, 16), blocks=(1, 1, 1), encoder_blocks=(1, 1, 1)).eval()
    noise = torch.zeros(2, sum(net.groups))
    last = noise[:, -3 * 256 :].unflatten(1, (3, 16, 16))
    last[1, :, 3, 3] = 5.0
    with torch.no_grad():
        first, second = net(noise)
    changed = (first != second)[0].nonzero()
    assert len(changed) and (changed - 3).abs().max() <= 2  # two 3x3 convolutions of the residual branch


@pytest.mark.parametrize("wrong", [{"blocks": (1, 1)}, {"blocks": (1, 1, 0)}, {"encoder_blocks": (1, -1, 1)}])
def test_numbers_that_fit_no_grid_are_refused(wrong):
    with pytest.raises(ValueError, match=r"write blocks=\[1,2,2,3,1\]"):
        network(**wrong)
    with pytest.raises(ValueError, match="width=0, middle=4, latents=3: expected at least 1"):
        vdvae.VDVAE((1, 8, 8), [1, 1], [1, 1], 0, 4, 3, "GELU", partial(uniform_, bound=1.0), None)
