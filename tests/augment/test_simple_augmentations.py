"""Flips and instance noise by hand, and what no augmentation has."""

import dataclasses

import pytest
import torch

from ganvas.augment import Flip, InstanceNoise, Unaugmented


def test_a_flip_mirrors_left_to_right():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    assert Flip(p=1.0)(x, 1.0).tolist() == [[[[2, 1, 0], [5, 4, 3]]]]


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_images_are_mirrored_with_probability_p(p):
    x = torch.tensor([0.0, 1.0]).expand(4000, 1, 1, 2)
    mirrored = (Flip(p=p)(x, p)[:, 0, 0, 0] == 1).float().mean().item()
    assert mirrored == pytest.approx(p, abs=4 * (p * (1 - p) / 4000) ** 0.5)


def test_instance_noise_has_the_standard_deviation_p_on_every_coordinate():
    x = torch.linspace(-3, 3, 2).expand(20000, 2)
    noise = InstanceNoise(p=0.3)(x, 0.3) - x
    torch.testing.assert_close(noise.std(0), torch.full((2,), 0.3), rtol=0.03, atol=0)
    assert noise.mean(0).abs().max() < 0.01 and torch.corrcoef(noise.T)[0, 1].abs() < 0.03
    assert InstanceNoise(p=0.0).p == 0  # a schedule may end there


@pytest.mark.parametrize("shape", [(2,), (4, 5), (1, 3, 4, 5)])
def test_an_augmentation_of_images_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"Flip transforms images, got examples of shape \("):
        Flip(p=1.0).check(shape)


def test_no_augmentation_returns_the_examples_themselves_and_has_no_number_to_move():
    x = torch.zeros(2, 2)
    assert Unaugmented()(x, 1.0) is x and not dataclasses.fields(Unaugmented)


@pytest.mark.parametrize(("make", "p"), [(Flip, 1.5), (Flip, -0.1), (InstanceNoise, -1.0)])
def test_a_p_out_of_range_is_refused(make, p):
    with pytest.raises(ValueError, match=rf"p: got {p}, expected"):
        make(p=p)
