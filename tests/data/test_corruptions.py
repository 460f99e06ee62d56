"""Corruptions: what they hide, average and add."""

import pytest
import torch

from ganvas.data.corruptions import Coarse, Hole, Noise

X = torch.arange(1.0, 37).view(1, 1, 6, 6)


def test_the_hole_is_the_middle():
    hidden = (Hole(0.5).apply(X) == 0)[0, 0]
    assert hidden.nonzero().tolist() == [[r, c] for r in (1, 2, 3) for c in (1, 2, 3)]


def test_a_coarse_pixel_is_the_mean_of_its_square_also_at_the_border():
    coarse = Coarse(4)
    seen = coarse.apply(X)
    assert seen.shape == (1, 1, 2, 2) and seen[0, 0, 1, 1] == X[0, 0, 4:, 4:].mean()
    assert seen[0, 0, 0, 0] == X[0, 0, :4, :4].mean()
    shown = coarse.shown(seen, X)
    assert shown.shape == X.shape and (shown[0, 0, :4, 4:] == X[0, 0, :4, 4:].mean()).all()


def test_the_noise_has_the_stated_standard_deviation_and_the_generators_draws():
    flat = torch.zeros(1, 1, 200, 200)
    first, second = (Noise(0.5).observe(flat, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second) and float(first.std()) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("make", "said"), [(lambda: Hole(1.0), "hole"), (lambda: Noise(0.0), "noise"), (lambda: Coarse(1), "factor")]
)
def test_numbers_out_of_range_are_named(make, said):
    with pytest.raises(ValueError, match=rf"restore\.{said}="):
        make()
