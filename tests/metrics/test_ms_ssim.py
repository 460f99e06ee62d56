"""Diversity by MS-SSIM against the formula of the paper, its pairs, and samples of known variety."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ganvas.data.source import Examples, Source, TensorExamples
from ganvas.extractors.images import Selected
from ganvas.extractors.ms_ssim import EXPONENTS
from ganvas.metrics.ms_ssim import METRIC, pairs_of, similarity
from ganvas.metrics.registry import settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.classes import Classed
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import Subject


def draw(n, seed, side=28):
    """Smooth images of one channel."""
    rough = torch.rand(n, 1, 7, 7, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, side, mode="bilinear")
    return (smooth * 255).round().to(torch.uint8)


def published(x, y, exponents):
    """Wang et al.: contrast and structure at each scale, negative ones as 0, and the whole at the coarsest."""
    product = 1.0
    for scale, exponent in enumerate(exponents):
        a, b, aa, bb, ab = (
            gaussian_filter(image, 1.5, mode="mirror", truncate=5 / 1.5) for image in (x, y, x * x, y * y, x * y)
        )
        structure = (2 * (ab - a * b) + 0.03**2) / (aa - a * a + bb - b * b + 0.03**2)
        whole = structure * (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
        last = scale == len(exponents) - 1
        product *= max(0.0, whole.mean() if last else structure[5:-5, 5:-5].mean()) ** exponent
        x, y = (image.reshape(len(image) // 2, 2, -1, 2).mean((1, 3)) for image in (x, y))
    return product


def test_it_is_the_mean_of_the_published_similarity():
    images, exponents = draw(8, 0), np.array(EXPONENTS[:2]) / sum(EXPONENTS[:2])
    first, second = pairs_of([torch.arange(8)], most=10, seed=3)
    x = images[:, 0].double().numpy() / 255
    values = [published(x[i], x[j], exponents) for i, j in zip(first, second, strict=True)]
    found = similarity(images, (first, second))
    assert found.mean == pytest.approx(np.mean(values), rel=1e-4) and min(values) >= 0
    assert found.standard_error == pytest.approx(np.std(values, ddof=1) / 2, rel=1e-3) and found.n == 4


def test_pairs_are_within_groups_and_no_image_is_in_two():
    groups = [torch.arange(0, 7), torch.arange(7, 30), torch.arange(30, 31)]
    first, second = pairs_of(groups, most=5, seed=0)
    assert len(first) == 3 + 5 and len({*first.tolist(), *second.tolist()}) == 16
    assert [int(a < 7) for a in first] == [int(b < 7) for b in second]
    again = pairs_of(groups, most=5, seed=1)
    assert not torch.equal(again[0], first)


class Made(Subject):
    name, shape, weights = "made", (1, 28, 28), "images"

    def __init__(self, images, classes=None):
        self.made, self.classes = images, classes

    def count(self, n):
        return len(self.made)

    def images(self, n, seed):
        return Selected(TensorExamples(self.made), torch.arange(len(self.made)))

    def classed(self, n, seed):
        return None if self.classes is None else Classed(self.classes)


class Real(Source):
    classes, splits = ("a", "b"), ("train", "test")

    def __init__(self):
        super().__init__("real", (1, 28, 28))

    def _load(self, split) -> Examples:
        return TensorExamples(draw(60, 9), torch.arange(60) % 2)


def measured(images, classes=None, **settings):
    options = Asked(settings_of(settings), n=0, seed=0, calibration=True)
    return METRIC.compute(
        Gathered(Made(images, classes), Reference("real", "test", source=Real()), None, options, None)
    )


def test_one_image_has_the_ceiling_and_samples_like_the_data_its_floor():
    collapsed, varied = measured(draw(1, 0).repeat(40, 1, 1, 1)), measured(draw(60, 1))
    assert collapsed.scores["ms_ssim"].value == pytest.approx(1.0) == collapsed.ceiling["ms_ssim"]
    score = varied.scores["ms_ssim"]
    assert score.value == pytest.approx(varied.floor["ms_ssim"], abs=5 * score.sd) and score.value < 0.5
    assert score.sd_over == "30 pairs of generated images"
    assert varied.conditions["scales"] == 2 and varied.conditions["within"] == "all samples"


def test_one_image_for_each_class_has_the_ceiling_within_classes():
    classes = torch.arange(40) % 2
    images = draw(2, 0)[classes]
    assert measured(images, classes).scores["ms_ssim"].value == pytest.approx(1.0)
    assert measured(images).scores["ms_ssim"].value < 0.9
    assert measured(images, classes, ms_ssim_pairs=3).scores["ms_ssim"].sd_over == "6 pairs of generated images"


def test_what_it_cannot_read_is_refused():
    with pytest.raises(ValueError, match="fake: ms_ssim expects at least 2 pairs of images, got 1"):
        measured(draw(3, 0))
    small = Made(draw(9, 0, side=8))
    small.shape = (1, 8, 8)
    options = Asked(settings_of({}), n=0, seed=0)
    with pytest.raises(ValueError, match="metrics: ms_ssim reads images of at least 11 pixels, got 8"):
        METRIC.compute(Gathered(small, Reference("real", "test", source=Real()), None, options, None))
