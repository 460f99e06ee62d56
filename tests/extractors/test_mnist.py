"""The embedded extractor: its weights, its accuracy, its state."""

import hashlib
from importlib.resources import files

import pytest
import torch
from torchvision.datasets import MNIST

from ganvas.extractors.checksum import WeightsError
from ganvas.extractors.features import extract
from ganvas.extractors.mnist import WEIGHTS_SHA256, MnistExtractor, mnist_cnn
from ganvas.metrics.frechet import frechet_distance


def weights():
    return files("ganvas.extractors").joinpath("weights", "mnist_cnn.safetensors").read_bytes()


def accuracy(extractor, images, labels):
    return (extract(extractor, images, 500).logits.argmax(1) == labels).double().mean().item()


def test_weights_are_the_pinned_ones_and_small():
    assert hashlib.sha256(weights()).hexdigest() == WEIGHTS_SHA256
    assert len(weights()) <= 2_000_000


def test_accuracy_on_the_mnist_test_set(mnist_extractor, mnist_root):
    test = MNIST(root=str(mnist_root), train=False, download=False)
    assert accuracy(mnist_extractor, test.data.unsqueeze(1), test.targets) >= 0.993


def test_accuracy_on_the_embedded_digits(mnist_extractor, digits):
    # Part of the 60,000 digits that it was trained on, hence above its test accuracy.
    assert accuracy(mnist_extractor, *digits) == pytest.approx(0.998, abs=4e-4)


def test_one_changed_byte_is_refused():
    content = bytearray(weights())
    content[-1] ^= 1
    with pytest.raises(WeightsError, match=f"expected SHA-256 {WEIGHTS_SHA256}, got .*reinstall ganvas"):
        mnist_cnn(bytes(content))


def test_construction_leaves_the_random_state():
    before = torch.get_rng_state()
    MnistExtractor()
    assert torch.equal(torch.get_rng_state(), before)


def test_stays_frozen_in_evaluation_mode(digits):
    owner = torch.nn.Sequential(MnistExtractor())
    before = owner[0](digits[0][:8])[0].clone()
    owner.train()
    assert not owner[0].model.training and not any(p.requires_grad for p in owner.parameters())
    assert torch.equal(owner[0](digits[0][:8])[0], before)


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
