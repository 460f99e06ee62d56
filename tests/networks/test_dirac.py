"""The point that a generator made stays as it was when the generator moves on."""

import torch

from ganvas.networks import dirac


def test_an_example_is_no_view_of_the_weights():
    generator = dirac.Generator((2,), 1, torch.nn.init.normal_)
    made = generator(torch.zeros(3, 1))
    before = made.detach().clone()
    with torch.no_grad():
        generator.point += 1
    assert torch.equal(made, before) and torch.equal(generator(torch.zeros(1, 1)), before[:1] + 1)
