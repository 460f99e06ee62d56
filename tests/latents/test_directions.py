"""Directions of the first layer, against a matrix made by hand."""

import torch

from ganvas.latents.directions import strongest_directions


def test_the_directions_of_a_matrix_made_by_hand():
    """W = U diag(3, 2) V^T with V turned by 30 degrees: its rows are the directions, whatever U is."""
    c, s = 3**0.5 / 2, 0.5
    v = torch.tensor([[c, -s], [s, c]])
    u = torch.tensor([[0.0, 1], [1, 0], [0, 0]])
    found = strongest_directions(u @ torch.diag(torch.tensor([3.0, 2.0])) @ v.T)
    assert torch.allclose(found, v.T, atol=1e-6)


def test_more_latents_than_outputs_and_the_sign():
    found = strongest_directions(torch.tensor([[0.0, -4.0, 0.0]]))
    assert torch.allclose(found[0], torch.tensor([0.0, 1, 0])) and torch.allclose(
        found @ found.T, torch.eye(3), atol=1e-6
    )
