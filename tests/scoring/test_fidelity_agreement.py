"""All scores against torch-fidelity's own command on two folders of images, with one random Inception."""

import pytest
import torch_fidelity

from ganvas.extractors.features import extract
from ganvas.extractors.inception import InceptionExtractor
from ganvas.metrics.registry import scores

from ..inceptions import pictures, random_inception, write_pictures

N = 40
CALIBRATION = 8
"""Images a side that the batch norms' statistics are from."""
BATCH_SIZES = (7, 16, N)
"""The first two do not divide N."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two sides of pictures, which differ in contrast."""
    made = {}
    for seed, (side, contrast) in enumerate((("real", 75.0), ("fake", 90.0))):
        images, folder = pictures(N, contrast, seed), tmp_path_factory.mktemp(side)
        write_pictures(images, folder)
        made[side] = (folder, images)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory, folders):
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    random_inception(path, [folders[side][1][:CALIBRATION] for side in ("real", "fake")])
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
