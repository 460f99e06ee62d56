"""ADA: its geometry against torchvision and exact maps, its colours in closed form, and how often each acts."""

import math

import pytest
import torch
from scipy.stats import kstest
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine

from ganvas.augment import ADA, geometry, hues
from ganvas.augment.base import chosen


def vectors(*values):
    return torch.tensor([values], dtype=torch.float64)


MOVES = ["flip", "half of the flips", "quarters", "whole", "zoom", "stretch", "before", "after", "part"]
HUES = ["brightness", "contrast", "flip", "half of the flips", "hue", "saturation"]
"""Transformations in the order in which images are chosen for them; half of the flips are none."""


def only(monkeypatch, module, *names):
    """Let these transformations act on every image, and the others on none."""
    asked = iter(MOVES if module is geometry else HUES)
    acts = {"half of the flips": 0.5, **dict.fromkeys(names, 1.0)}
    monkeypatch.setattr(module, "chosen", lambda x, p: chosen(x, acts.get(next(asked), 0.0)))


def assert_uniform(angles):
    assert kstest(angles.numpy() / (2 * math.pi) + 0.5, "uniform").pvalue > 1e-3


def smooth(h, w):
    """Make an image of a few waves, which any good interpolation reproduces."""
    down, right = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
    waves = [torch.sin(3 * down + right), torch.cos(2 * right * down), torch.sin(2 * down) * torch.cos(3 * right)]
    return torch.stack(waves)[None].double()


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 7, 10), (4, 5, 3), (1, 1, 4)])
def test_the_identity_is_exact_up_to_the_edges(shape):
    x = torch.randn(2, *shape, dtype=torch.float64)
    identity = torch.eye(3, dtype=torch.float64).expand(2, -1, -1)
    torch.testing.assert_close(geometry.resample(x, identity), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sides", [(32, 32), (31, 31)])
def test_flips_and_quarter_turns(sides):
    x = smooth(*sides)
    turn = geometry.rotation(torch.tensor([math.pi / 2], dtype=torch.float64)).round()
    expected = {x.flip(3): geometry.scaling(vectors(-1, 1)), x.flip(2, 3): turn @ turn, torch.rot90(x, 1, (2, 3)): turn}
    for image, inverse in expected.items():
        assert (geometry.resample(x, inverse) - image).abs().max() < 0.05


def test_a_translation_by_pixels_mirrors_what_comes_in_from_outside():
    x = torch.randn(1, 2, 12, 14, dtype=torch.float64)
    y = geometry.resample(x, geometry.translation(-vectors(3, -2)))  # 3 to the right, 2 up
    torch.testing.assert_close(y[:, :, :10, 3:], x[:, :, 2:, :-3], rtol=0, atol=1e-9)
    flat = geometry.resample(smooth(32, 32), geometry.translation(-vectors(3, 0)))
    torch.testing.assert_close(flat[:, :, :, :3], smooth(32, 32)[:, :, :, 1:4].flip(3), rtol=0, atol=0.05)


@pytest.mark.parametrize(("h", "w"), [(48, 48), (40, 57)])
@pytest.mark.parametrize(
    ("angle", "right", "down", "scale"), [(30.0, 0, 0, 1.0), (0.0, 5, -3, 1.0), (-100.0, 2, 4, 0.8), (15.0, -4, 1, 1.3)]
)
def test_affine_maps_agree_with_torchvision(h, w, angle, right, down, scale):
    x = smooth(h, w)
    expected = affine(x, angle, [right, down], scale, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR)
    inside = affine(torch.ones_like(x), angle, [right, down], scale, [0.0, 0.0], InterpolationMode.BILINEAR) > 0.999
    # x -> R S x + t, so its inverse first subtracts t.
    turn = geometry.rotation(torch.tensor([-math.radians(angle)], dtype=torch.float64))
    inverse = geometry.scaling(vectors(1 / scale, 1 / scale)) @ turn @ geometry.translation(-vectors(right, down))
    found = geometry.resample(x, inverse)
    edge = 4  # the filter mirrors the image where torchvision sees nothing
    inside[:, :, :edge], inside[:, :, -edge:], inside[..., :edge], inside[..., -edge:] = False, False, False, False
    assert inside.float().mean() > 0.3
    assert (found - expected)[inside].abs().max() < 0.04
    assert (x - expected)[inside].abs().max() > 0.1


def test_a_wave_too_fine_for_the_smaller_image_is_filtered_out():
    x = torch.ones(1, 1, 64, 64, dtype=torch.float64)
    x[..., ::2] = -1
    y = geometry.resample(x, geometry.scaling(vectors(2.2, 2.2)))
    assert y[..., 20:44, 20:44].abs().max() < 0.15


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
def test_images_are_moved_as_often_as_p_says(p):
    x = torch.zeros(20000, 1, 28, 28)
    stays = (geometry.draw(x, p) == torch.eye(3)).flatten(1).all(1).float().mean().item()
    # Half of the flips, a quarter of the quarter turns and a 49th of the whole translations (7 x 7 offsets) do nothing.
    expected = (1 - p / 2) * (1 - 3 / 4 * p) * (1 - 48 / 49 * p) * (1 - p) ** 4
    assert stays == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 20000) ** 0.5)


def test_sizes_of_the_geometric_transformations(monkeypatch):
    x = torch.zeros(20000, 1, 16, 32)
    linear, offset = (part.double() for part in geometry.draw(x, 1.0).split([2, 1], dim=2))
    zoom = linear[:, :2].det().abs().log2() / 2
    assert zoom.std().item() == pytest.approx(0.2, rel=0.03) and zoom.mean().abs() < 0.01
    ratio = torch.linalg.svdvals(linear[:, :2])
    stretch = (ratio[:, 0] / ratio[:, 1]).log2() / 2
    assert stretch.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.03)
    assert offset[:, :2].mean(0).abs().max() < 0.2
    # Only translations: by whole pixels, rounded from U(-4, 4) and U(-2, 2), and by N(0, 4^2) and N(0, 2^2).
    only(monkeypatch, geometry, "whole", "part")
    torch.manual_seed(1)
    found = -geometry.draw(x, 1.0)[:, :2, 2].double()
    assert found.var(0).tolist() == pytest.approx([5.5 + 16, 1.5 + 4], rel=0.04)


def test_half_of_the_flips_mirror_left_to_right_and_the_others_do_nothing(monkeypatch):
    only(monkeypatch, geometry, "flip")
    found, counts = geometry.draw(torch.zeros(4000, 1, 5, 7), 1.0).unique(dim=0, return_counts=True)
    assert torch.equal(found, torch.stack([torch.diag(torch.tensor([-1.0, 1, 1])), torch.eye(3)]))
    assert counts[0].item() == pytest.approx(2000, abs=4 * 1000**0.5)


def test_all_four_quarter_turns_are_equally_frequent(monkeypatch):
    only(monkeypatch, geometry, "quarters")
    found, counts = geometry.draw(torch.zeros(4000, 1, 5, 7), 1.0).unique(dim=0, return_counts=True)
    turns = {(found[k, 0, 0].item(), found[k, 1, 0].item()) for k in range(len(found))}
    assert turns == {(1, 0), (0, 1), (-1, 0), (0, -1)}
    assert torch.equal(found @ found.mT, torch.eye(3).expand(4, -1, -1)) and (found.det() > 0).all()
    assert (counts - 1000).abs().max() < 4 * 750**0.5


@pytest.mark.parametrize("turn", ["before", "after"])
def test_a_rotation_is_by_any_angle(monkeypatch, turn):
    only(monkeypatch, geometry, turn)
    found = geometry.draw(torch.zeros(4000, 1, 5, 7), 1.0)
    assert_uniform(torch.atan2(found[:, 1, 0], found[:, 0, 0]))


def test_directions_of_a_translation_are_independent(monkeypatch):
    for kind in ("whole", "part"):
        only(monkeypatch, geometry, kind)
        offset = geometry.draw(torch.zeros(20000, 1, 16, 32), 1.0)[:, :2, 2]
        assert torch.corrcoef(offset.T)[0, 1].abs() < 0.03, kind


def test_an_image_is_moved_by_pixels_before_it_is_scaled_and_rotated(monkeypatch):
    only(monkeypatch, geometry, *MOVES[:-1])
    offset = geometry.draw(torch.zeros(500, 1, 16, 32), 1.0)[:, :2, 2]
    assert torch.equal(offset, offset.round()) and offset.unique().numel() > 5


def test_an_image_is_moved_by_fractions_after_it_was_scaled_and_rotated(monkeypatch):
    only(monkeypatch, geometry, *MOVES[4:])
    monkeypatch.setattr(geometry, "SCALE_STD", 2.0)  # large, so that it would be seen in the translations
    inverse = geometry.draw(torch.zeros(20000, 1, 16, 32), 1.0).double()
    by = torch.linalg.solve(inverse[:, :2, :2], inverse[:, :2, 2])
    assert by.var(0).tolist() == pytest.approx([16, 4], rel=0.05)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colour_maps_keep_the_grey_axis_and_the_distance_from_it(channels):
    grey = torch.full((channels, channels), 1 / channels)
    angle, ones = torch.tensor([0.4, -2.0]), torch.ones(channels)
    turn = hues.hue(grey, angle)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(channels).expand(2, -1, -1))
    torch.testing.assert_close(turn @ ones, ones.expand(2, -1))
    assert torch.equal(turn[0], torch.eye(channels)) == (channels < 3)
    torch.testing.assert_close(hues.luma_flip(grey, torch.tensor([True]))[0] @ ones, -ones)
    double = hues.saturation(grey, torch.tensor([2.0]))[0]
    colour = torch.randn(channels) @ (torch.eye(channels) - grey)
    torch.testing.assert_close(double @ (ones + colour), ones + 2 * colour)


def test_hue_of_three_channels_is_the_rotation_about_the_grey_axis():
    angle = torch.tensor([0.7])
    axis = torch.ones(3) / math.sqrt(3)
    cross = torch.tensor([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rodrigues = torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross
    torch.testing.assert_close(hues.hue(torch.full((3, 3), 1 / 3), angle)[0], rodrigues)


def test_brightness_comes_before_all_other_colours():
    matrix, offset = hues.draw(torch.zeros(500, 3, 2, 2), 1.0)
    brightness = torch.linalg.solve(matrix.double(), offset.double())
    torch.testing.assert_close(brightness, brightness[:, :1].expand(-1, 3))
    assert brightness.std().item() == pytest.approx(0.2, rel=0.1)


def test_sizes_of_contrast_and_saturation():
    matrix, _ = hues.draw(torch.zeros(20000, 3, 2, 2), 1.0)
    on_grey = (matrix.double().sum((1, 2)) / 3).abs()
    assert on_grey.log2().std().item() == pytest.approx(0.5, rel=0.03)
    factor = (torch.linalg.det(matrix.double()).abs() / on_grey**3).log2() / 2
    assert factor.std().item() == pytest.approx(1.0, rel=0.03)
    assert (matrix.sum((1, 2)) < 0).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_a_hue_is_turned_by_any_angle(monkeypatch):
    only(monkeypatch, hues, "hue")
    matrix, _ = hues.draw(torch.zeros(4000, 3, 1, 1), 1.0)
    cos = (matrix.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert_uniform(torch.atan2(math.sqrt(3) / 2 * (matrix[:, 1, 0] - matrix[:, 0, 1]), cos))


def test_each_value_is_mapped_by_the_matrix_and_the_offset_of_its_image(monkeypatch):
    matrix, offset = torch.randn(4, 3, 3), torch.randn(4, 3)
    matrix[2:], offset[3] = torch.eye(3), 0  # brightness alone, and nothing
    monkeypatch.setattr(geometry, "draw", lambda x, p: torch.eye(3).expand(len(x), -1, -1))
    monkeypatch.setattr(hues, "draw", lambda x, p: (matrix, offset))
    x = torch.randn(4, 3, 5, 6)
    expected = torch.einsum("nij,njhw->nihw", matrix, x) + offset[:, :, None, None]
    torch.testing.assert_close(ADA(1.0, None, 1)(x, 1.0), expected)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_colours_are_changed_as_often_as_p_says(p):
    matrix, offset = hues.draw(torch.zeros(20000, 3, 1, 1), p)
    stays = ((matrix == torch.eye(3)).flatten(1).all(1) & (offset == 0).all(1)).float().mean().item()
    expected = (1 - p / 2) * (1 - p) ** 4
    assert stays == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 20000) ** 0.5)


def test_an_image_on_which_nothing_acts_stays_bit_for_bit_beside_changed_ones():
    x = torch.rand(400, 3, 9, 9)
    y = ADA(0.1, None, 1)(x, 0.1)
    same = (x == y).flatten(1).all(1).float().mean()
    assert 0.2 < same < 0.8


@pytest.mark.parametrize(("field", "value"), [("p", 2.0), ("target", 1.0), ("images", 0)])
def test_numbers_out_of_range_are_refused(field, value):
    numbers = {"p": 0.0, "target": 0.6, "images": 500_000}
    with pytest.raises(ValueError, match=f"{field}: got {value}, expected"):
        ADA(**(numbers | {field: value}))
