"""One pass over the images, and what the extractors' common front refuses."""

import pytest
import torch

from ganvas.extractors.features import extract
from ganvas.metrics.frechet import frechet_distance


def test_batching_changes_nothing_but_rounding(mnist_extractor, digits):
    images = digits[0][:600]
    whole = extract(mnist_extractor, images, 600)
    assert whole.n == 600 and whole.values.shape == (600, 128) and whole.logits.shape == (600, 10)
    for other in (extract(mnist_extractor, images, 7), extract(mnist_extractor, images.split(90), 64)):
        torch.testing.assert_close(other.values, whole.values, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(other.logits, whole.logits, rtol=1e-4, atol=1e-4)
        real = extract(mnist_extractor, digits[0][600:1200], 50).values
        assert frechet_distance(real, other.values) == pytest.approx(frechet_distance(real, whole.values), rel=1e-5)


def test_result_is_ordinary_and_carries_no_graph(mnist_extractor, digits):
    features = extract(mnist_extractor, digits[0][:4], 4)
    assert not features.values.is_inference() and not features.values.requires_grad
    assert features.extractor == "mnist" and features.weights_hash == mnist_extractor.weights_hash


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 1, 28, 28), "expects uint8 .*got torch.float32; convert .*to_uint8"),
        (torch.zeros(28, 28, dtype=torch.uint8).expand(2, 28, 28), r"expects shape \(n, c, h, w\), got \(2, 28, 28\)"),
        (torch.zeros(2, 3, 28, 28, dtype=torch.uint8), "'mnist' expects 1x28x28 images, got 3x28x28; use extractor="),
        (torch.zeros(2, 1, 32, 32, dtype=torch.uint8), "'mnist' expects 1x28x28 images, got 1x32x32"),
        (torch.zeros(0, 1, 28, 28, dtype=torch.uint8), "expected at least one image, got none"),
        ([], "expected at least one image, got none"),
        (
            [torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.zeros(1, 1, 32, 32, dtype=torch.uint8)],
            "expected one shape, got 1x28x28 and 1x32x32; resize or convert",
        ),
    ],
)
def test_bad_images_are_refused(mnist_extractor, images, message):
    with pytest.raises(ValueError, match=message):
        extract(mnist_extractor, images, 2)


def test_batch_size_is_checked(mnist_extractor, digits):
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        extract(mnist_extractor, digits[0][:2], 0)
