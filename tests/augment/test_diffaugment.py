"""DiffAugment: each transformation on images worked out by hand, its range, and how often it acts."""

import pytest
import torch

from ganvas.augment import DiffAugment
from ganvas.augment.diffaugment import colour, moved, recoloured, translation

CHANNELS = (1, 3, 4)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def every(n):
    return torch.ones(n, dtype=torch.bool)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (0, -3), (-1, 4), (20, 0)])
@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 8, 8)])
def test_a_moved_image_is_rolled_and_filled_with_0(down, right, shape):
    x = torch.randn(2, *shape)
    expected = torch.roll(x, (down, right), (2, 3))
    rows, columns = torch.arange(shape[1]) - down, torch.arange(shape[2]) - right
    outside = ((rows < 0) | (rows >= shape[1]))[:, None] | ((columns < 0) | (columns >= shape[2]))
    assert torch.equal(moved(x, torch.full((2,), down), torch.full((2,), right)), expected.masked_fill(outside, 0))


def test_each_image_is_moved_by_its_own_offset():
    x = torch.randn(3, 2, 5, 5)
    down, right = torch.tensor([1, 0, -2]), torch.tensor([0, 3, 1])
    alone = [moved(x[[i]], down[[i]], right[[i]]) for i in range(3)]
    assert torch.equal(moved(x, down, right), torch.cat(alone))


def test_translations_reach_an_eighth_of_each_side_and_all_are_equally_frequent():
    x = torch.zeros(12000, 1, 20, 9)
    x[:, 0, 10, 4] = 1
    place = translation(x, every(len(x))).flatten(1).argmax(1)
    down, right = place // 9 - 10, place % 9 - 4
    for offsets, most in ((down, 3), (right, 1)):  # 20 / 8 rounds to 3, 9 / 8 to 1
        counts = (offsets[:, None] == torch.arange(-most - 1, most + 2)).sum(0)
        assert counts[0] == counts[-1] == 0
        share = 1 / (2 * most + 1)
        assert (counts[1:-1] / len(x) - share).abs().max() < 5 * (share / len(x)) ** 0.5


@pytest.mark.parametrize("channels", CHANNELS)
def test_brightness_shifts_every_pixel(channels):
    x = torch.randn(2, channels, 5, 3, dtype=torch.float64)
    one = numbers(1, 1)
    torch.testing.assert_close(recoloured(x, numbers(0.3, -0.2), one, one)[1], x[1] - 0.2)


@pytest.mark.parametrize("channels", CHANNELS)
def test_contrast_keeps_the_mean_and_scales_the_distance_from_it(channels):
    x = torch.randn(2, channels, 5, 3, dtype=torch.float64)
    y = recoloured(x, numbers(0, 0), numbers(1, 1), numbers(1.4, 0.5))
    torch.testing.assert_close(y.mean((1, 2, 3)), x.mean((1, 2, 3)))
    torch.testing.assert_close(y.flatten(1).std(1), numbers(1.4, 0.5) * x.flatten(1).std(1))


def test_saturation_keeps_the_mean_over_channels_and_0_makes_an_image_grey():
    x = torch.randn(2, 3, 5, 3, dtype=torch.float64)
    y = recoloured(x, numbers(0, 0), numbers(0, 1.7), numbers(1, 1))
    torch.testing.assert_close(y.mean(1), x.mean(1))
    torch.testing.assert_close(y[0], x[0].mean(0).expand(3, -1, -1))
    torch.testing.assert_close(y[1].std(0), 1.7 * x[1].std(0))


def test_saturation_does_nothing_to_a_grey_image():
    x = torch.randn(2, 1, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(recoloured(x, numbers(0, 0), numbers(0, 1.7), numbers(1, 1)), x)


def test_the_three_steps_follow_each_other():
    x, b, s, c = torch.randn(4, 3, 5, 3, dtype=torch.float64), *torch.rand(3, 4, dtype=torch.float64)
    one, zero = torch.ones_like(b), torch.zeros_like(b)
    steps = recoloured(recoloured(recoloured(x, b, one, one), zero, s, one), zero, one, c)
    torch.testing.assert_close(recoloured(x, b, s, c), steps)


def test_ranges_of_the_colour_factors():
    x = torch.zeros(4000, 3, 1, 2)
    x[:, :, 0, 0], x[:, :, 0, 1] = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([0.5, 0.5, 0.5])
    y = colour(x, every(len(x)))
    brightness = y.mean((1, 2, 3)) - x.mean((1, 2, 3))
    contrast = (y.mean(1)[:, 0, 1] - y.mean(1)[:, 0, 0]) / 0.5
    saturation = (y[:, 0, 0, 0] - y[:, 2, 0, 0]) / 2 / contrast
    for factor, low, high in ((brightness, -0.5, 0.5), (contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert low - 1e-5 <= factor.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < factor.max() <= high + 1e-5
        assert factor.var().item() == pytest.approx((high - low) ** 2 / 12, rel=0.05)
    correlations = torch.corrcoef(torch.stack([brightness, contrast, saturation]))
    assert (correlations - torch.eye(3)).abs().max() < 0.07


@pytest.mark.parametrize("sides", [(8, 8), (7, 12), (9, 5)])
def test_cutout_takes_half_of_each_side_unless_it_reaches_beyond_the_image(sides):
    h, w = sides
    holes = DiffAugment(1.0, ["cutout"])(torch.ones(3000, 2, h, w), 1.0) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    rows, columns = holes[:, 0].any(2), holes[:, 0].any(1)
    assert torch.equal(holes[:, 0], rows[:, :, None] & columns[:, None, :])
    for inside, side in ((rows, h), (columns, w)):
        length, first = int(side / 2 + 0.5), inside.int().argmax(1)
        assert inside.sum(1).max() == length
        assert inside.sum(1).min() == length // 2 + (length % 2)  # its middle on the first or behind the last pixel
        last = side - 1 - inside.flip(1).int().argmax(1)
        cut = inside.sum(1) < length
        assert (
            torch.equal(last - first + 1, inside.sum(1)) and (first[cut] == 0).logical_or(last[cut] == side - 1).all()
        )


@pytest.mark.parametrize(("side", "places"), [(8, 9), (7, 8), (9, 9), (5, 5)])
def test_all_places_of_a_cutout_are_equally_frequent(side, places):
    """The middle of an even length is a border of a pixel, that of an odd one (5 of 9, 3 of 5) a pixel."""
    holes = DiffAugment(1.0, ["cutout"])(torch.ones(9000, 1, side, side), 1.0) == 0
    for inside in (holes[:, 0].any(2), holes[:, 0].any(1)):
        _, counts = inside.unique(dim=0, return_counts=True)
        assert len(counts) == places and (counts - 9000 / places).abs().max() < 5 * (9000 / places) ** 0.5


@pytest.mark.parametrize("policy", ["colour", "translation", "cutout"])
@pytest.mark.parametrize("p", [0.3, 1.0])
def test_each_transformation_acts_with_probability_p(policy, p):
    x = torch.rand(2000, 1, 25, 25) + 1
    acted = (DiffAugment(p, [policy])(x, p) != x).flatten(1).any(1).float().mean().item()
    expected = p * (1 - 1 / 49 if policy == "translation" else 1)
    assert acted == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 2000) ** 0.5 + 1e-6)


def test_an_image_is_chosen_for_each_transformation_anew():
    x = torch.rand(4000, 1, 9, 9) + 1
    y = DiffAugment(0.5, ["colour", "cutout"])(x, 0.5)
    same = (y == x).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(1 / 4, abs=4 * (3 / 16 / 4000) ** 0.5)


def test_policies_are_those_of_the_list_in_its_order():
    x = torch.rand(64, 1, 16, 16) + 1
    torch.manual_seed(1)
    both = DiffAugment(1.0, ["cutout", "colour"])(x, 1.0)
    torch.manual_seed(1)
    cut = DiffAugment(1.0, ["cutout"])(x, 1.0)
    hole = (cut == 0) & (cut.mean((1, 2, 3), keepdim=True) < 1.3)
    assert (both[hole] != 0).all()  # the colours change the hole too


@pytest.mark.parametrize("policies", [[], ["color"]])
def test_unknown_policies_are_refused(policies):
    with pytest.raises(ValueError, match="expected some of colour, translation, cutout"):
        DiffAugment(1.0, policies)
