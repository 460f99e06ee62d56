"""An Inception with random weights that tells pictures apart, and such pictures; the weights of 2015 are a download."""

import pytest
import torch
from PIL import Image
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

LAYERS = ["2048", "logits_unbiased"]
FC_SCALE = 10.0


def pictures(n, contrast, seed, size=32):
    """Blurred colour noise: images that differ from each other."""
    coarse = torch.randn(n, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    images = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear") * contrast + 128
    return images.clamp(0, 255).to(torch.uint8)


def write_pictures(images, folder):
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:03d}.png")


def random_inception(path, sides):
    """Write the state dict of a random Inception.

    As initialised, 94 convolutions shrink every image to the same features: FID 1e-13, IS 1, KID 0, which agree with
    anything. Batch statistics of the images keep the signal, and a larger last layer makes classes differ.
    """
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", LAYERS)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.cat(sides))
        network.fc.weight.mul_(FC_SCALE)
    torch.save(network.state_dict(), path)
