"""PSNR, SSIM and LPIPS against their formulas, written out by other means, and the ranges they are defined on."""

import math

import numpy as np
import pytest
import torch
import torchvision
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image.lpips import _LPIPS

from ganvas.commands.restoring import quality
from ganvas.extractors.checksum import WeightsError
from ganvas.extractors.perceptual import BACKBONES, Perceptual
from ganvas.metrics.psnr import psnr
from ganvas.metrics.reconstruction import unit_range
from ganvas.metrics.ssim import ssim


def pair(n=3, channels=1, side=24, noise=0.1, seed=0):
    random = torch.Generator().manual_seed(seed)
    true = torch.rand(n, channels, side, side, generator=random)
    return (true + noise * torch.randn(true.shape, generator=random)).clamp(0, 1), true


def test_psnr_is_that_of_the_mean_squared_error_of_each_image():
    made, true = pair(channels=3)
    errors = ((made - true).double() ** 2).mean((1, 2, 3))
    assert psnr(made, true).tolist() == pytest.approx((-10 * errors.log10()).tolist(), rel=1e-5)
    assert psnr(torch.full((1, 1, 8, 8), 0.5), torch.full((1, 1, 8, 8), 0.6)).item() == pytest.approx(20, abs=1e-3)
    assert psnr(true, true).tolist() == [math.inf] * 3


def ssim_of_the_paper(made, true, levels):
    """Wang et al. 2004 by SciPy's Gaussian filter, on grey levels from 0 to ``levels``, borders reflected."""

    def blur(image):
        return gaussian_filter(image, 1.5, mode="mirror", truncate=5 / 1.5)

    c1, c2 = (0.01 * levels) ** 2, (0.03 * levels) ** 2
    values = []
    for x, y in zip(made.reshape(-1, *made.shape[2:]), true.reshape(-1, *true.shape[2:]), strict=True):
        a, b = blur(x), blur(y)
        aa, bb, ab = blur(x * x) - a * a, blur(y * y) - b * b, blur(x * y) - a * b
        values.append(((2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2))).mean())
    return np.array(values).reshape(len(made), -1).mean(1)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (1, 6)])
def test_ssim_is_that_of_the_paper_on_256_levels(channels, side):
    made, true = pair(channels=channels, side=side)
    levels = [255 * images.double().numpy() for images in (made, true)]
    assert ssim(made, true).tolist() == pytest.approx(ssim_of_the_paper(*levels, 255), abs=1e-4)


def test_ssim_of_an_image_with_itself_is_1_and_of_one_image_has_a_dimension():
    made, true = pair(n=1)
    assert ssim(true, true).tolist() == pytest.approx([1.0]) and ssim(made, true).shape == (1,)


def test_images_in_minus_1_to_1_are_compared_in_0_to_1():
    """On the scale of training black is -1, and the same formula would take grey for nothing."""
    made, true = pair()
    found = quality(2 * made - 1, 2 * true - 1)
    assert found["psnr"].tolist() == pytest.approx(psnr(made, true).tolist(), rel=1e-4)
    assert found["ssim"].tolist() == pytest.approx(ssim(made, true).tolist(), rel=1e-4)
    beyond = torch.tensor([[[[-3.0, -1.0, 0.0, 1.0, 1.5]]]])
    assert unit_range(beyond).flatten().tolist() == [0, 0, 0.5, 1, 1]


def test_images_too_small_for_the_window_are_refused():
    with pytest.raises(ValueError, match=r"ssim reads images of at least 6x6 pixels, got \(5, 5\)"):
        ssim(*pair(side=5))


@pytest.fixture(scope="module", params=["squeeze", "alex", pytest.param("vgg", marks=pytest.mark.slow)])
def net(request, tmp_path_factory):
    """A network with random weights, in a file as torchvision's, and torchmetrics' own LPIPS with the same weights."""
    name = request.param
    path = tmp_path_factory.mktemp("weights") / f"{name}.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(torchvision.models, BACKBONES[name].name)(weights=None)
        reference = _LPIPS(net=name, pnet_rand=True)
    state = {key: weight for key, weight in model.state_dict().items() if key.startswith("features.")}
    torch.save(state, path)
    for key, weight in reference.net.state_dict().items():  # slice1.LAYER.weight, or slices.1.LAYER.weight
        weight.copy_(state[f"features.{key.split('.', 2 if name == 'squeeze' else 1)[-1]}"])
    return name, str(path), reference


@pytest.mark.parametrize("channels", [1, 3])
def test_lpips_is_that_of_torchmetrics_with_the_same_weights(net, channels):
    name, path, reference = net
    made, true = pair(channels=channels, side=40)
    with torch.no_grad():
        theirs = reference(*((2 * x - 1).expand(-1, 3, -1, -1) for x in (made, true))).flatten()
    assert Perceptual(name, path, "reconstruction")(made, true).tolist() == pytest.approx(theirs.tolist(), rel=1e-4)


def test_lpips_is_0_for_the_image_itself_and_grows_with_the_noise(net):
    name, path, _ = net
    distance = Perceptual(name, path, "reconstruction")
    near, far = (distance(*pair(noise=noise, side=40)) for noise in (0.05, 0.3))
    assert distance(pair(side=40)[1], pair(side=40)[1]).tolist() == [0, 0, 0] and (near < far).all()


def test_lpips_leaves_no_trace_and_is_a_function_of_its_weights(net):
    name, path, _ = net
    before = torch.get_rng_state()
    first, second = Perceptual(name, path, "reconstruction"), Perceptual(name, path, "reconstruction")
    assert torch.equal(before, torch.get_rng_state()) and first.weights_hash == second.weights_hash
    assert not any(parameter.requires_grad for parameter in first.parameters()) and not first.training


def test_small_images_are_refused_with_a_network_that_reads_them(net):
    name, path, _ = net
    least = BACKBONES[name].least
    Perceptual(name, path, "reconstruction")(*pair(side=least))
    with pytest.raises(ValueError, match=f"net={name} reads grey and RGB images of at least {least} pixels"):
        Perceptual(name, path, "reconstruction")(*pair(side=least - 1))


def test_without_weights_lpips_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def away(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", away)
    with pytest.raises(
        WeightsError, match=r"downloading https.*alexnet.*no route to host.*weights=PATH, or leave lpips"
    ):
        Perceptual("alex", "", "reconstruction")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vgg19", None, "net=vgg19: expected alex, vgg, squeeze"),
        ("squeeze", None, "there is no such file"),
        ("squeeze", b"text", "not a state dict"),
        ("squeeze", {"features.0.weight": torch.zeros(1)}, "not torchvision's state dict of squeezenet1_1"),
    ],
)
def test_a_file_that_does_not_hold_the_weights_is_refused(tmp_path, name, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        Perceptual(name, str(path), "reconstruction")
