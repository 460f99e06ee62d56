"""Losses in the place of a likelihood against their formulas, and the models that have one."""

import numpy as np
import pytest
import torch
import torchvision
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image.lpips import _LPIPS

from ganvas.config import build, compose
from ganvas.extractors.ms_ssim import EXPONENTS, scales
from ganvas.objectives import ELBO, MultiScaleSSIM, PerceptualLoss
from ganvas.types import Batch, BoundsEvidence


def pair(side=28, n=3, channels=1):
    random = torch.Generator().manual_seed(side)
    x = torch.rand(n, channels, side, side, generator=random) * 1.8 - 0.9
    return x, x.atanh() + 0.5 * torch.randn(x.shape, generator=random)


def similarity(x, y):
    """Whole similarity, and contrast with structure away from the border, of two images in [0, 1]."""

    def blur(image):
        return gaussian_filter(image, 1.5, mode="mirror", truncate=5 / 1.5)

    a, b = blur(x), blur(y)
    aa, bb, ab = blur(x * x) - a * a, blur(y * y) - b * b, blur(x * y) - a * b
    structure = (2 * ab + 0.03**2) / (aa + bb + 0.03**2)
    return (structure * (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)).mean(), structure[5:-5, 5:-5].mean()


def halved(image):
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))


@pytest.mark.parametrize(("side", "count"), [(28, 2), (48, 3)])
def test_ms_ssim_is_that_of_the_paper(side, count):
    x, location = pair(side)
    exponents = np.array(EXPONENTS[:count]) / sum(EXPONENTS[:count])
    expected = []
    for true, made in zip(x[:, 0].double().numpy(), location.tanh()[:, 0].double().numpy(), strict=True):
        true, made, product = (true + 1) / 2, (made + 1) / 2, 1.0
        for scale, exponent in enumerate(exponents):
            whole, structure = similarity(true, made)
            product *= ((1 + (whole if scale == count - 1 else structure)) / 2) ** exponent
            true, made = halved(true), halved(made)
        expected.append(1 - product)
    pixels = (x - location.tanh()).abs().sum((1, 2, 3)).numpy()
    found = MultiScaleSSIM(weight=300.0, pixel_weight=0.5)(x, location)
    np.testing.assert_allclose(found, 300 * np.array(expected) + 0.5 * pixels, rtol=1e-4)


def test_as_many_scales_as_the_window_allows():
    assert {side: scales(side, "ms_ssim") for side in (11, 28, 32, 43, 44, 64, 99, 176, 256)} == {
        11: 2, 28: 2, 32: 2, 43: 2, 44: 3, 64: 3, 99: 4, 176: 5, 256: 5,
    }  # fmt: skip
    with pytest.raises(ValueError, match="likelihood=ms_ssim reads images of at least 11 pixels, got 8"):
        MultiScaleSSIM(1.0, 0.0)(*pair(side=8))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Path of random weights of torchvision's SqueezeNet, and torchmetrics' own LPIPS with the same weights."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    with torch.random.fork_rng():
        model = torchvision.models.squeezenet1_1(weights=None)
        reference = _LPIPS(net="squeeze", pnet_rand=True)
    torch.save(model.state_dict(), path)
    for key, weight in reference.net.state_dict().items():
        weight.copy_(model.state_dict()[f"features.{key.split('.', 2)[-1]}"])
    return str(path), reference


def test_perceptual_loss_and_its_gradient_are_those_of_torchmetrics(network):
    path, reference = network
    x, location = pair(32, channels=3)
    theirs = location.clone().requires_grad_()
    distance = reference(theirs.tanh(), x).flatten()
    found = PerceptualLoss(2.0, 0.0, "squeeze", path)(x, location.requires_grad_())
    torch.testing.assert_close(found, 2 * distance, rtol=1e-4, atol=0)
    ours, expected = (torch.autograd.grad(of.sum(), to)[0] for of, to in ((found, location), (2 * distance, theirs)))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-6)


def model(*line):
    torch.manual_seed(0)
    return build(compose("train", ["data=mnist5k", "network=mlp", "prior.dim=3", *line]).model)


def test_a_vae_with_a_loss_bounds_no_evidence():
    vae = model("model=vae", "likelihood=ms_ssim", "objective=beta_elbo")
    x = pair()[0]
    assert not isinstance(vae, BoundsEvidence) and isinstance(model("model=vae"), BoundsEvidence)
    draws = vae.draws(Batch(x, None, torch.arange(3)), vae.trained, 1)
    assert isinstance(vae.objective, ELBO)
    terms = vae.objective(draws)
    expected = vae.likelihood(x, draws.location).mean() + 4 * draws.divergence.sum(1).mean()
    torch.testing.assert_close(terms.total, expected)
    assert not {"elbo", "bound"} & vae._named(terms).keys() and {"reconstruction", "kl"} <= vae._named(terms).keys()


def test_the_network_of_a_loss_is_no_part_of_the_model(network):
    vae = model("model=vae", "likelihood=perceptual", "likelihood.net=squeeze", f"likelihood.weights={network[0]}")
    assert {key.split(".")[0] for key in vae.state_dict()} == {
        key.split(".")[0] for key in model("model=vae").state_dict()
    }
    x = pair()[0]
    vae.objective(vae.draws(Batch(x, None, torch.arange(3)), vae.trained, 1)).total.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vae.decoder.parameters())


def test_codes_are_learned_with_a_loss():
    vq = build(compose("train", ["data=mnist5k", "model=vq_vae", "likelihood=ms_ssim"]).model)
    x, said = pair()[0], []
    (loss,) = vq._losses(Batch(x, None, torch.arange(3)), said, [], [])
    location = vq.decoder(vq.quantiser(vq.encoder(x)).z)
    torch.testing.assert_close(said[0][1]["reconstruction"], -vq.likelihood(x, location).mean())
    assert loss.requires_grad
