"""Resizers of the 2015 Inception against the tools' own code, or against their formula written out."""

import numpy as np
import pytest
import torch
from cleanfid.resize import build_resizer
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganvas.extractors.resize import tf1_resize
from ganvas.extractors.resizers import RESIZERS, SIZE, resizer_called

SHAPES = [(2, 3, 9, 14), (1, 3, 320, 310)]
"""Below and above the Inception's size, and not square."""


def images(shape):
    """Noise, which has overshoots for a bicubic resize to clip."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(sum(shape)))


def along(x, axis, places):
    """Interpolate linearly between the neighbours of places, which end at the border."""
    last = x.shape[axis] - 1
    low = np.floor(places).astype(int).clip(0, last)
    high = (low + 1).clip(0, last)
    share = np.clip(places - low, 0, 1).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share


def bilinear(x, place):
    """Resize by the formula: the source of output i is place(i, scale)."""
    x = x.double().numpy()
    for axis in (2, 3):
        places = place(np.arange(SIZE), x.shape[axis] / SIZE)
        x = along(x, axis, np.maximum(places, 0))
    return x


@pytest.mark.parametrize("shape", SHAPES)
def test_tensorflow_starts_at_the_corner(shape):
    expected = (bilinear(images(shape), lambda i, scale: i * scale) - 128) / 128
    np.testing.assert_allclose(RESIZERS["tensorflow"](images(shape)), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 1, 28, 28), (1, 3, 1, 299)])
@pytest.mark.parametrize("size", [299, 64])
def test_the_grid_of_tensorflow_is_torch_fidelitys_to_the_bit(shape, size):
    x = images(shape).float()
    theirs = interpolate_bilinear_2d_like_tensorflow1x(x, size=(size, size), align_corners=False)
    assert torch.equal(tf1_resize(x, size), theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_detector_of_stylegan_and_edm_is_on_the_grid_of_tensorflow(shape):
    """Their TorchScript file moves an affine grid by half a pixel of each side and samples it."""
    x = images(shape).float()
    theta = torch.eye(2, 3)
    theta[0, 2] += 1 / shape[3] - 1 / SIZE
    theta[1, 2] += 1 / shape[2] - 1 / SIZE
    grid = torch.nn.functional.affine_grid(theta.repeat(len(x), 1, 1), [*shape[:2], SIZE, SIZE], align_corners=False)
    sampled = torch.nn.functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    torch.testing.assert_close(RESIZERS["tensorflow"](images(shape)), (sampled - 128) / 128, rtol=0, atol=3e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_pytorch_fid_has_half_pixel_centres(shape):
    expected = 2 * bilinear(images(shape), lambda i, scale: (i + 0.5) * scale - 0.5) / 255 - 1
    np.testing.assert_allclose(RESIZERS["pytorch_fid"](images(shape)), expected, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["clean", "legacy_pytorch"])
def test_clean_fids_modes_are_its_own_code(shape, mode):
    resize = build_resizer(mode)
    theirs = np.stack([resize(x.permute(1, 2, 0).numpy()) for x in images(shape)]).transpose(0, 3, 1, 2)
    if mode == "clean":
        np.testing.assert_array_equal(RESIZERS["clean"](images(shape)), (theirs - 128) / 128)
    else:
        np.testing.assert_allclose(RESIZERS["pytorch_fid"](images(shape)), 2 * (theirs / 255) - 1, atol=1e-6)


def test_clean_clips_what_bicubic_overshoots():
    edge = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    edge[..., 4:] = 255
    x = RESIZERS["clean"](edge)
    assert x.min() == -1 and x.max() == (255 - 128) / 128


def test_torchmetrics_averages_what_it_makes_smaller():
    """A scale of two: a triangle of four pixels a side, the outer ones with a third of the inner ones' weight."""
    x = torch.randint(0, 256, (1, 3, 2 * SIZE, 2 * SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    windows = x[:, :, 1:-1, 1:-1].double().unfold(2, 4, 2).unfold(3, 4, 2)
    weights = torch.tensor([1, 3, 3, 1], dtype=torch.float64) / 8
    inner = torch.einsum("nchwij,i,j->nchw", windows, weights, weights)
    found = RESIZERS["torchmetrics"](x)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(found, ((inner - 128) / 128).float(), rtol=0, atol=1e-5)


def test_no_two_resizers_agree():
    x = images(SHAPES[1])
    made = [RESIZERS[name](x) for name in RESIZERS]
    for i, first in enumerate(made):
        for second in made[:i]:
            assert (first - second).abs().mean() > 1e-3
    assert len({resizer.preprocessing for resizer in RESIZERS.values()}) == len(RESIZERS)


def test_an_unknown_resizer_is_refused_with_the_tools():
    with pytest.raises(ValueError, match=r"tensorflow \(torch-fidelity, .*legacy_tensorflow\).*got 'legacy'"):
        resizer_called("legacy")
