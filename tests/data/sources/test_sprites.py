"""Sprites against geometry on paper: areas, centres, moments, outlines; their grid of factors and their splits."""

import math

import numpy as np
import pytest
import torch
from matplotlib.path import Path as Outline

from ganvas.data.source import DataError
from ganvas.data.sources.silhouettes import SIDE, SILHOUETTES
from ganvas.data.sources.sprites import Drawing, Sprites

AREAS = {"square": 2.0, "ellipse": math.pi / 2, "heart": SIDE**2 * (1 + math.pi / 4)}
"""Of a circumradius of 1; the heart is a square and two half discs."""


def one(shape="square", scale=1.0, angle=0.0, x=0.5, y=0.5, size=64, radius=0.3, smooth=True):
    drawing = Drawing((shape,), (scale,), (angle,), (x,), (y,), size, radius, smooth)
    return drawing(torch.zeros(1, 5, dtype=torch.int64))[0, 0].double() / 255


def moments(image):
    """Mass in pixels, centre as a share of the side, and matrix of second moments in pixels."""
    line = torch.arange(len(image)) + 0.5
    mass = float(image.sum())
    x, y = float((image.sum(0) * line).sum()) / mass, float((image.sum(1) * line).sum()) / mass
    dx, dy = (line - x)[None, :], (line - y)[:, None]
    second = [[float((image * a * b).sum()) / mass for b in (dx, dy)] for a in (dx, dy)]
    return mass, (x / len(image), y / len(image)), np.array(second)


@pytest.mark.parametrize("shape", SILHOUETTES)
@pytest.mark.parametrize(("size", "scale", "angle"), [(64, 1.0, 0.0), (64, 0.5, 0.4), (32, 0.8, 1.1), (128, 0.7, 1.5)])
@pytest.mark.parametrize(("smooth", "near"), [(True, 0.015), (False, 0.06)])
def test_the_area_is_that_of_geometry(shape, size, scale, angle, smooth, near):
    mass, _, _ = moments(one(shape, scale, angle, 0.47, 0.53, size, smooth=smooth))
    assert mass == pytest.approx(AREAS[shape] * (0.3 * scale * size) ** 2, rel=near)


@pytest.mark.parametrize("shape", ["square", "ellipse"])
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.32, 0.6), (0.7, 0.31)])
def test_the_centre_is_at_x_from_the_left_and_y_from_the_top(shape, x, y):
    _, centre, _ = moments(one(shape, angle=0.3, x=x, y=y))
    assert centre == pytest.approx((x, y), abs=0.002)


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.9, 1.5])
def test_an_ellipse_has_its_axes_and_turns_clockwise(angle):
    """Second moments of an ellipse with semi-axes a, b are a²/4 and b²/4 along them."""
    _, _, second = moments(one("ellipse", angle=angle, size=128))
    values, vectors = np.linalg.eigh(second)
    a = 0.3 * 128
    assert values == pytest.approx([(a / 2) ** 2 / 4, a**2 / 4], rel=0.01)
    assert math.atan2(*vectors[::-1, 1]) % math.pi == pytest.approx(angle % math.pi, abs=0.01)  # y points down


def outline(shape, radius, centre, angle):
    """Corner points of a fine polygon, made by other means: arcs and corners, turned by a matrix."""
    t = np.linspace(0, 2 * math.pi, 721)
    if shape == "square":
        points = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]]) / math.sqrt(2)
    elif shape == "ellipse":
        points = np.stack([np.cos(t), np.sin(t) / 2], axis=1)
    else:  # from the tip up the right flank, over both half discs, and down; v points down
        arc = np.linspace(-math.pi / 4, 3 * math.pi / 4, 361)
        r, m = SIDE / 2, SIDE / 2 / math.sqrt(2)
        low = 1.0 - SIDE / math.sqrt(2)  # centre of the square, below that of the circle
        right = np.stack([m + r * np.cos(arc), low - m - r * np.sin(arc)], axis=1)
        points = np.concatenate([[[0.0, 1.0]], right, right[::-1] * [-1, 1], [[0.0, 1.0]]])
    turned = points @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return turned * radius + centre


@pytest.mark.parametrize("shape", SILHOUETTES)
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2])
def test_a_pixel_is_white_where_its_centre_lies_within_the_outline(shape, angle):
    size, radius, centre = 48, 0.31, (0.46, 0.52)
    drawn = one(shape, 1.0, angle, *centre, size, radius, smooth=False).bool().numpy()
    line = (np.arange(size) + 0.5) / size
    pixels = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    polygon = Outline(outline(shape, radius, np.array(centre), angle))
    clear = polygon.contains_points(pixels, radius=0.003) == polygon.contains_points(pixels, radius=-0.003)
    inside = polygon.contains_points(pixels)
    assert clear.mean() > 0.97 and (drawn.reshape(-1) == inside)[clear].all()


@pytest.mark.parametrize("shape", SILHOUETTES)
@pytest.mark.parametrize("angle", [0.1, 0.3, 1.0])
def test_a_grey_pixel_is_the_part_of_it_that_is_white(shape, angle):
    """As counted on a grid eight times finer; at corners a distance says a little less."""
    grey, fine = one(shape, angle=angle, size=32), one(shape, angle=angle, size=256, smooth=False)
    counted = fine.unflatten(1, (32, 8)).unflatten(0, (32, 8)).mean((1, 3))
    edge = (counted > 0) & (counted < 1)
    assert int(edge.sum()) > 20 and float((grey - counted)[edge].abs().mean()) < 0.04
    assert float((grey - counted)[~edge].abs().max()) < 0.25


@pytest.mark.parametrize("shape", SILHOUETTES)
def test_a_shape_touches_its_circle_from_within_and_looks_the_same_after_its_turn(shape):
    t = torch.linspace(0, 2 * math.pi, 3601)
    on_circle = SILHOUETTES[shape].distance(t.cos(), t.sin())
    assert float(on_circle.min()) == pytest.approx(0, abs=2e-3) and float(on_circle.min()) > -2e-3
    turn = math.radians(SILHOUETTES[shape].turn)
    assert torch.allclose(one(shape, angle=0.2), one(shape, angle=0.2 + turn), atol=1.5 / 255)
    assert not torch.allclose(one(shape, angle=0.2), one(shape, angle=0.2 + turn / 2), atol=0.5)


COUNTS = {"scales": 3, "rotations": 2, "xs": 4, "ys": 5}
REST = {"size": 24, "smallest": 0.4, "turn": 90.0, "radius": 0.2, "smooth": True, "val": 0, "test": 0}


def sprites(**changes):
    arguments = {"shapes": ["square", "ellipse", "heart"], **COUNTS, **REST, **changes}
    return Sprites("sprites", [1, arguments["size"], arguments["size"]], **arguments)


def test_every_combination_is_there_once_and_each_image_shows_its_own():
    source = sprites(val=20, test=31)
    loaded = [source.load(split) for split in source.splits]
    assert [len(examples) for examples in loaded] == [309, 20, 31]
    values = torch.cat([examples.factors for examples in loaded])
    assert len(torch.unique(values, dim=0)) == 3 * 3 * 2 * 4 * 5 == len(values)
    for examples in loaded:
        images = examples.batch(torch.arange(len(examples)))[:, 0].double() / 255
        for image, (shape, scale, _, x, y) in zip(images[:40], examples.factors[:40].tolist(), strict=True):
            mass, centre, _ = moments(image)
            sizes = (0.4, 0.7, 1.0)
            assert mass == pytest.approx(AREAS[source.classes[shape]] * (0.2 * sizes[scale] * 24) ** 2, rel=0.12)
            way = [0.2 + 0.6 * (place + 0.5) / n for place, n in ((x, 4), (y, 5))]
            assert centre == pytest.approx(way, abs=0.03)
        assert examples.labels.equal(examples.factors[:, 0])


def test_shapes_stay_whole():
    images = sprites(smooth=False).load("train").batch(torch.arange(360))
    frame = torch.ones(24, 24, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    assert int(images[:, :, frame].max()) == 0 and int(images.flatten(1).max(1).values.min()) == 255


def test_black_and_white_or_grey():
    assert sprites(smooth=False).load("train").batch(torch.arange(9)).unique().tolist() == [0, 255]
    assert len(sprites(smooth=True).load("train").batch(torch.arange(360)).unique()) > 50


def test_a_factor_with_one_value_is_none():
    source = sprites(scales=1, ys=1, shapes=["heart"])
    assert [factor.name for factor in source.factors] == ["rotation", "x"] and source.classes == ("heart",)
    examples = source.load("train")
    assert examples.factors.shape == (8, 2) and examples.labels.tolist() == [0] * 8
    mass, (_, y), _ = moments(examples.batch(torch.tensor([0]))[0, 0].double() / 255)
    assert mass == pytest.approx(AREAS["heart"] * (0.2 * 24) ** 2, rel=0.05) and abs(y - 0.5) < 0.05
    assert sprites(scales=1, rotations=1, xs=3, ys=1, shapes=["heart"]).factors[0].values == 3
    assert sprites(scales=1, rotations=1, xs=1, ys=1, shapes=["heart"]).factors is None


def test_the_fingerprint_is_that_of_the_recipe_and_the_places():
    changed = {"smooth": False, "smallest": 0.5, "radius": 0.21, "turn": 80.0, "size": 25, "test": 9}
    others = {sprites(**{name: value}).load("train").fingerprint() for name, value in changed.items()}
    assert len({sprites().load("train").fingerprint(), *others}) == 7
    splits = {sprites(val=120, test=120).load(split).fingerprint() for split in ("train", "val", "test")}
    assert len(splits) == 3
    assert sprites(val=5, test=9).load("test").fingerprint() == sprites(val=30, test=9).load("test").fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"turn": 91.0}, "turn=91.0: .* at most 90, after which a square looks the same.*data.shapes"),
        ({"turn": 200.0, "shapes": ["ellipse", "heart"]}, "at most 180, after which a ellipse"),
        ({"turn": 0.0}, "turn=0"),
        ({"shapes": []}, r"shapes=\[\]: must be different ones of square, ellipse, heart"),
        ({"shapes": ["heart", "heart"]}, "must be different ones"),
        ({"shapes": ["star"]}, "star"),
        ({"scales": 0}, "scales=0: must be at least 1"),
        ({"xs": 0}, "xs=0"),
        ({"smallest": 0.0}, "smallest=0.0"),
        ({"radius": 0.5}, "radius=0.5"),
        ({"size": 7}, "size=7"),
        ({"test": 360}, "test=360"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        sprites(**changes)


def test_the_shape_is_that_of_the_size():
    with pytest.raises(DataError, match=r"shape=\[1, 32, 32\].*\[1, 24, 24\]"):
        Sprites("sprites", [1, 32, 32], shapes=["heart"], **COUNTS, **REST)


def test_a_heart_may_turn_full_circle():
    assert sprites(shapes=["heart"], turn=360.0, rotations=8).factors[1].values == 8
