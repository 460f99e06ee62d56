"""Ways through the latents: coordinates through their range, codes through their categories."""

import torch

from ganvas.latents import Codes, Normal
from ganvas.latents.traversal import along, ways


def test_a_code_is_one_way_and_every_other_coordinate_another():
    assert ways(Normal(2)) == {"z0": slice(0, 1), "z1": slice(1, 2)}
    found = ways(Codes(7, [3, 2], 0))
    assert found == {"z0": slice(0, 1), "z1": slice(1, 2), "c0": slice(2, 5), "c1": slice(5, 7)}


def test_a_code_takes_its_categories_in_turn_and_nothing_else_moves():
    prior = Codes(7, [3, 2], 0)
    start = prior.sample(1, generator=torch.Generator().manual_seed(0))[0]
    z = along(prior, start, slice(2, 5), 4)
    assert z[:, 2:5].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    for kept in (slice(0, 2), slice(5, 7)):
        assert torch.equal(z[:, kept], start[kept].expand(4, -1))


def test_a_coordinate_goes_through_its_range():
    z = along(Normal(2), torch.tensor([0.5, 7.0]), slice(0, 1), 3)
    assert z.tolist() == [[-3.0, 7.0], [0.0, 7.0], [3.0, 7.0]]
