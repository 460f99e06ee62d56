"""All scores against torch-fidelity's own command on two folders of images, with one random Inception."""

import pytest
import torch
import torch_fidelity
from PIL import Image
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from ganvas.extractors.features import extract
from ganvas.extractors.inception import InceptionExtractor
from ganvas.metrics.registry import scores

LAYERS = ["2048", "logits_unbiased"]
N = 40
CALIBRATION = 8
"""Images a side that the batch norms' statistics are from."""
FC_SCALE = 10.0
BATCH_SIZES = (7, 16, N)
"""The first two do not divide N."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Blurred colour noise, and the same with another contrast: images that differ from each other."""
    made = {}
    for side, contrast in (("real", 75.0), ("fake", 90.0)):
        g = torch.Generator().manual_seed(len(made))
        coarse = torch.randn(N, 3, 5, 5, generator=g)
        images = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear") * contrast + 128
        images = images.clamp(0, 255).to(torch.uint8)
        folder = tmp_path_factory.mktemp(side)
        for i, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:03d}.png")
        made[side] = (folder, images)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory, folders):
    """A random Inception that tells images apart.

    As initialised, 94 convolutions shrink every image to the same features: FID 1e-13, IS 1, KID 0, which agree with
    anything. Batch statistics of the images keep the signal, and a larger last layer makes classes differ.
    """
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", LAYERS)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.cat([folders[side][1][:CALIBRATION] for side in ("real", "fake")]))
        network.fc.weight.mul_(FC_SCALE)
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*not the 2015 Inception")
def test_every_score_is_torch_fidelitys(weights, folders, settings):
    (real_folder, real), (fake_folder, fake) = folders["real"], folders["fake"]
    settings = settings.replace(is_splits=4, kid_subsets=10, kid_subset_size=25, seed=2020)
    expected = torch_fidelity.calculate_metrics(
        input1=str(fake_folder),
        input2=str(real_folder),
        fid=True,
        isc=True,
        kid=True,
        prc=True,
        # Precision and recall would otherwise be on VGG16.
        feature_extractor="inception-v3-compat",
        isc_splits=4,
        kid_subsets=10,
        kid_subset_size=25,
        rng_seed=2020,
        batch_size=16,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        feature_extractor_weights_path=str(weights),
    )
    extractor = InceptionExtractor(str(weights))
    for batch_size in BATCH_SIZES:
        sides = [extract(extractor, x, batch_size) for x in (real, fake)]
        found = {
            k.rpartition("/")[2]: v.value for k, v in scores(*sides, ["fid", "is", "kid", "prdc"], settings).items()
        }
        for name, theirs in {
            "fid": "frechet_inception_distance",
            "is": "inception_score_mean",
            "kid": "kernel_inception_distance_mean",
            "precision": "precision",
            "recall": "recall",
        }.items():
            assert found[name] == pytest.approx(expected[theirs], rel=1e-5, abs=0), (name, batch_size)
    # Numbers that would agree with anything show nothing.
    assert expected["frechet_inception_distance"] > 0.1 and expected["inception_score_mean"] > 1.05
    assert expected["kernel_inception_distance_mean"] > 1e-3 and 0 < expected["precision"] < 1
