"""What a Fréchet distance saw: influences against the distance without an image, heat maps of known gradients."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganvas.data.source import TensorExamples
from ganvas.extractors.base import Extractor
from ganvas.extractors.sensitivity import sensitivity
from ganvas.health.findings import findings_on
from ganvas.metrics.frechet import Moments, moments_distance
from ganvas.metrics.registry import settings_of
from ganvas.metrics.seen import PredictedClasses, distance_at, influence_on_distance
from ganvas.scoring.asked import Asked
from ganvas.scoring.measurement import Measurement
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import ImagesSubject


def normal(n, d, seed, scale=1.0, shift=0.0):
    draw = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return scale * draw @ torch.linspace(0.5, 1.5, d * d, dtype=torch.float64).view(d, d).add(torch.eye(d)) + shift


def without(x, i):
    return torch.cat([x[:i], x[i + 1 :]])


def test_an_influence_is_what_the_distance_falls_by_without_the_image():
    """Exact but for terms of second order, which fall with the square of m: by 4 for twice as many images."""
    real, errors = Moments.of(normal(500, 3, 0)), []
    for m in (150, 300, 600):
        fake = normal(m, 3, 1, 1.2, 0.3)
        moments = Moments.of(fake)
        found, whole = influence_on_distance(real, moments, fake), moments_distance(real, moments)
        rows = [*found.argsort()[[0, 1, -2, -1]].tolist(), 5, 17]
        fall = torch.tensor([whole - moments_distance(real, Moments.of(without(fake, i))) for i in rows]).double()
        torch.testing.assert_close(fall, found[rows], rtol=30 / m, atol=3 / m**2)
        errors.append(float(((fall - found[rows]) * m).abs().max()))
        assert abs(float(found.sum())) < 1e-10 and fall[3] > 0 > fall[0]
    assert errors[2] < 0.4 * errors[0]


def test_the_derivative_by_the_features_of_one_image_is_that_of_the_distance():
    real, fake = Moments.of(normal(300, 3, 0)), normal(80, 3, 1, 0.7, -0.4)
    x = fake[[4, 50]].clone().requires_grad_()
    found = torch.autograd.grad(distance_at(real, Moments.of(fake), len(fake))(x).sum(), x)[0]
    expected, step = torch.zeros(2, 3, dtype=torch.float64), 1e-5
    for row, i in enumerate((4, 50)):
        for k in range(3):
            sides = []
            for sign in (1, -1):
                moved = fake.clone()
                moved[i, k] += sign * step
                sides.append(moments_distance(real, Moments.of(moved)))
            expected[row, k] = (sides[0] - sides[1]) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


class Places(Extractor):
    """Two channels of places, made of the pixels, their averages as features, and four classes."""

    name, weights_hash, preprocessing, num_features, num_classes = "places", "0" * 64, "", 2, 4

    def __init__(self, layer=True):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 2, stride=2, bias=False)
        self.conv.weight.data = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]], [[[0.5, 0.5], [0.0, 0.0]]]]) / 255
        self.after = nn.ReLU(inplace=True)
        self.layer = layer
        self.requires_grad_(False)

    def spatial(self):
        return self.conv if self.layer else None

    def check(self, images):
        pass

    def extract(self, images):
        x = self.after(self.conv(images.float()))
        brightness = images.float().mean((1, 2, 3), keepdim=True).flatten(1)
        return x.mean((2, 3)) ** 2, -((brightness - torch.tensor([[0.0, 85.0, 170.0, 255.0]])) ** 2)


def scaled(maps):
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low)


def test_a_heat_map_weighs_each_place_of_the_layer_by_its_gradient():
    images = torch.randint(0, 256, (3, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pull, network = torch.tensor([2.0, -3.0]), Places()
    layer = network.conv(images.float())
    gradient = pull * 2 * layer.mean((2, 3)) / 9  # of pull times mean squared, at each of 9 places
    expected = scaled((gradient[:, :, None, None] * layer).sum(1).abs())
    found = sensitivity(network, images, lambda f: f @ pull)
    assert found.shape == (3, 6, 6) and not network.conv._forward_hooks
    large = nn.functional.interpolate(expected[:, None], (6, 6), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(found, large, rtol=1e-4, atol=1e-5)
    assert not torch.equal(found, sensitivity(network, images, lambda f: f @ pull.flip(0)))


def test_without_a_layer_a_heat_map_is_the_gradient_of_the_pixels():
    images = torch.full((2, 1, 4, 4), 100, dtype=torch.uint8)
    found = sensitivity(Places(layer=False), images, lambda f: f @ torch.tensor([1.0, 0.0]))
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(2, 2)  # a constant times the kernel, at each place
    torch.testing.assert_close(found, expected.expand(2, 4, 4))


@pytest.fixture
def sides():
    draw = torch.Generator().manual_seed(0)
    real = torch.randint(60, 200, (80, 1, 8, 8), dtype=torch.uint8, generator=draw)
    fake = torch.randint(60, 200, (60, 1, 8, 8), dtype=torch.uint8, generator=draw)
    fake[11], fake[40] = 255, 0
    return real, fake


def measure(sides, output=None, names=("seen",), **settings):
    real = Reference("all", "all", images=TensorExamples(sides[0]))
    asked = Asked(settings_of({"seen.images": 3, **settings}), 0, 0, 16, output=output)
    return Measurement(ImagesSubject("images", TensorExamples(sides[1])), real, Places(), asked, None).of(names)


def test_planted_images_hurt_most_and_are_listed_with_their_neighbours(sides, tmp_path):
    found = measure(sides, tmp_path, ["fd", "seen"])
    details = json.loads(json.dumps(found.as_dict()))["details"]["seen"]
    assert {row["index"] for row in details["hurt"][:2]} == {11, 40} and len(details["help"]) == 3
    fd, gain = found.scores["score/places/fd"].value, found.scores["score/places/seen"].value
    assert gain == pytest.approx(sum(row["influence"] for row in details["hurt"])) and 0.2 * fd < gain < 3 * fd
    assert all(row["influence"] < 0 for row in details["help"])
    extractor = Places()
    real, fake = (extractor(x)[0].clone().double() for x in sides)
    for row in details["hurt"] + details["help"]:
        assert row["nearest"] == int((real - fake[row["index"]]).norm(dim=1).argmin())
    assert {path.name for path in found.files} == {"seen.npz", "seen.png"}
    influence = np.load(tmp_path / "seen.npz")["influence"]
    assert influence.shape == (60,) and influence.argmax() == details["hurt"][0]["index"]
    assert np.array(Image.open(tmp_path / "seen.png")).std() > 10


def test_classes_that_are_too_rare_or_too_frequent_are_listed(sides):
    found = measure((sides[0], sides[1].clone().fill_(170) + torch.arange(60).view(-1, 1, 1, 1).to(torch.uint8) // 6))
    details = found.details["seen"]
    shares = {row["class"]: row for row in details["frequent_classes"] + details["rare_classes"]}
    assert [row["class"] for row in details["frequent_classes"]] == [2] and shares[2]["samples"] == 1.0
    assert details["rare_classes"][0]["class"] == 1 and shares[1]["samples"] == 0.0
    counts = torch.tensor([5, 5])
    (finding,) = findings_on(PredictedClasses(counts, torch.zeros(9, dtype=torch.int64)))
    assert finding.name == "class_coverage" and finding.value == 1
