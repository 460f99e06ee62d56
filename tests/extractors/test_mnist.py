"""The embedded classifier of digits: its accuracy, and how its distance orders damage."""

import pytest
import torch
from torchvision.datasets import MNIST

from ganvas.extractors.features import extract
from ganvas.metrics.frechet import frechet_distance


def accuracy(extractor, images, labels):
    return (extract(extractor, images, 500).logits.argmax(1) == labels).double().mean().item()


def test_accuracy_on_the_mnist_test_set(mnist_extractor, mnist_root):
    test = MNIST(root=str(mnist_root), train=False, download=False)
    assert accuracy(mnist_extractor, test.data.unsqueeze(1), test.targets) >= 0.993


def test_accuracy_on_the_embedded_digits(mnist_extractor, digits):
    # Part of the 60,000 digits that it was trained on, hence above its test accuracy.
    assert accuracy(mnist_extractor, *digits) == pytest.approx(0.998, abs=4e-4)


def test_distance_orders_damage(mnist_extractor, digits):
    """Floor < mild noise < one class missing or strong noise < uniform noise."""
    images, labels = digits
    real, held = extract(mnist_extractor, images[:1000], 500).values, images[1000:2000]
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(held.shape, generator=g)

    def fd(fakes):
        return frechet_distance(real, extract(mnist_extractor, fakes, 500).values)

    mild, strong = ((held + s * noise).clamp(0, 255).to(torch.uint8) for s in (25, 100))
    uniform = torch.randint(0, 256, held.shape, generator=g, dtype=torch.uint8)
    floor, missing = fd(held), fd(held[labels[1000:2000] != 3])
    assert floor < fd(mild) < fd(strong) < fd(uniform)
    assert 3 * floor < missing < fd(uniform)
