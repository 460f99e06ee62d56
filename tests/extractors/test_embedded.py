"""What both embedded extractors promise: pinned weights, a fixed state, one shape of images."""

import hashlib

import pytest
import torch

from ganvas.extractors import cifar10, mnist
from ganvas.extractors.checksum import WeightsError
from ganvas.extractors.embedded import classifier, weights

MADE = {mnist: mnist.MnistExtractor, cifar10: cifar10.Cifar10Extractor}
LARGEST = {"mnist": 2_000_000, "cifar10": 4_000_000}


@pytest.fixture(scope="module", params=MADE, ids=lambda module: module.__name__.rpartition(".")[2])
def module(request):
    return request.param


@pytest.fixture(scope="module")
def extractor(module):
    return MADE[module]()


def images(extractor, n, seed=0):
    return torch.randint(0, 256, (n, *extractor.shape), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def test_weights_are_the_pinned_ones_and_small(module, extractor):
    content = weights(module.WEIGHTS)
    assert hashlib.sha256(content).hexdigest() == module.WEIGHTS_SHA256 == extractor.weights_hash
    assert len(content) <= LARGEST[extractor.name]


def test_one_changed_byte_is_refused(module, extractor):
    content = bytearray(weights(module.WEIGHTS))
    content[-1] ^= 1
    with pytest.raises(WeightsError, match=f"expected SHA-256 {module.WEIGHTS_SHA256}, got .*reinstall ganvas"):
        classifier(type(extractor.model), bytes(content), module.WEIGHTS_SHA256, module.WEIGHTS)


def test_construction_leaves_the_random_state(module):
    before = torch.get_rng_state()
    MADE[module]()
    assert torch.equal(torch.get_rng_state(), before)


def test_stays_frozen_in_evaluation_mode_and_in_float32(module):
    owner = torch.nn.Sequential(MADE[module]())
    given = images(owner[0], 8)
    before = owner[0](given)[0].clone()
    owner.train()
    assert not owner[0].model.training and not any(p.requires_grad for p in owner.parameters())
    assert {x.dtype for x in owner.state_dict().values() if x.is_floating_point()} == {torch.float32}
    assert torch.equal(owner[0](given)[0], before)


def test_an_image_has_the_same_features_in_any_batch(extractor):
    given = images(extractor, 9)
    whole = extractor(given)
    assert [x.shape for x in whole] == [(9, extractor.num_features), (9, extractor.num_classes)]
    single = [torch.cat(parts) for parts in zip(*map(extractor, given.split(2)), strict=True)]
    for a, b in zip(whole, single, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("other", [(1, 32, 32), (3, 28, 28), (3, 32, 31), (4, 32, 32)])
def test_images_of_another_shape_are_refused_by_name(extractor, other):
    expected, received = ("x".join(map(str, shape)) for shape in (extractor.shape, other))
    message = f"'{extractor.name}' expects {expected} images, got {received}; .* data of {extractor.kind} images"
    with pytest.raises(ValueError, match=message):
        extractor(torch.zeros(2, *other, dtype=torch.uint8))
