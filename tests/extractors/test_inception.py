"""The Inception extractor against torch-fidelity itself, with a randomly initialised state dict."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from ganvas.extractors import inception as inception_extractor
from ganvas.extractors.checksum import WeightsError
from ganvas.extractors.features import extract
from ganvas.extractors.inception import InceptionExtractor
from ganvas.extractors.inception_fast import DESCRIPTION, FoldedConv
from ganvas.extractors.inception_spatial import InceptionSpatialExtractor
from ganvas.metrics.registry import metrics
from ganvas.scoring.cache import CacheKey
from ganvas.scoring.protocol import feature_protocol, require_comparable

from ..inceptions import pictures, random_inception

LAYERS = ["2048", "logits_unbiased"]


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        torch.save(fidelity.FeatureExtractorInceptionV3("inception-v3-compat", LAYERS).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def extractor(random_weights):
    with pytest.warns(UserWarning, match="not the 2015 Inception weights"):
        return InceptionExtractor(str(random_weights))


@pytest.mark.parametrize("shape", [(3, 3, 32, 32), (2, 3, 40, 30), (3, 1, 28, 28)])
def test_features_are_those_of_torch_fidelity(extractor, random_weights, shape):
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    own = fidelity.FeatureExtractorInceptionV3(
        "inception-v3-compat", LAYERS, feature_extractor_weights_path=str(random_weights)
    )
    values, logits = own(images if shape[1] == 3 else images.repeat(1, 3, 1, 1))
    found = extract(extractor, images, batch_size=8)
    assert torch.equal(found.values, values) and torch.equal(found.logits, logits)
    assert found.values.std() > 0 and (extractor.num_features, extractor.num_classes) == (2048, 1008)


def test_spatial_features_are_seven_channels_of_the_branch_at_each_place(random_weights):
    """Run torch-fidelity's layers one by one up to the block that TensorFlow calls mixed_6."""
    images = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with pytest.warns(UserWarning, match="not the 2015 Inception weights"):
        spatial = InceptionSpatialExtractor(str(random_weights))
    found = extract(spatial, images, batch_size=8)
    assert spatial.preprocessing == inception_extractor.PREPROCESSING
    net = fidelity.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["768"], feature_extractor_weights_path=str(random_weights)
    )
    x = fidelity.interpolate_bilinear_2d_like_tensorflow1x(
        images.repeat(1, 3, 1, 1).float(), size=(299, 299), align_corners=False
    )
    x = net.MaxPool_1(net.Conv2d_2b_3x3(net.Conv2d_2a_3x3(net.Conv2d_1a_3x3((x - 128) / 128))))
    x = net.MaxPool_2(net.Conv2d_4a_3x3(net.Conv2d_3b_1x1(x)))
    for block in (net.Mixed_5b, net.Mixed_5c, net.Mixed_5d, net.Mixed_6a, net.Mixed_6b, net.Mixed_6c):
        x = block(x)
    expected = net.Mixed_6d.branch1x1(x).permute(0, 2, 3, 1)[..., :7].reshape(2, -1)
    torch.testing.assert_close(found.values, expected, rtol=1e-5, atol=1e-7)
    assert found.values.shape == (2, spatial.num_features) == (2, 2023) and found.logits is None
    assert not spatial.model.Mixed_6d.branch1x1._forward_hooks


def test_construction_leaves_the_random_state(random_weights):
    before = torch.get_rng_state()
    with pytest.warns(UserWarning):
        InceptionExtractor(str(random_weights))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_resizer_stands_in_the_preprocessing_and_in_the_key(random_weights, extractor):
    with pytest.warns(UserWarning, match="not the 2015 Inception weights"):
        clean = InceptionExtractor(str(random_weights), "clean")
    assert extractor.preprocessing == inception_extractor.PREPROCESSING
    assert "Pillow's bicubic" in clean.preprocessing and clean.weights_hash == extractor.weights_hash
    keys = {CacheKey.of(e, images="ab" * 32, n=2, split="all").digest() for e in (clean, extractor)}
    assert len(keys) == 2
    with pytest.raises(ValueError, match="resizer: expected one of tensorflow .*got 'bicubic'"):
        InceptionExtractor(str(random_weights), "bicubic")


@pytest.fixture(scope="module")
def telling_apart(tmp_path_factory):
    """Weights that tell pictures apart, and the pictures."""
    path, images = tmp_path_factory.mktemp("inception") / "telling.pth", pictures(6, 60.0, seed=1)
    random_inception(path, [images])
    return path, images


@pytest.fixture(scope="module")
def fast(telling_apart):
    with pytest.warns(UserWarning, match="not the 2015 Inception weights"):
        return InceptionExtractor(str(telling_apart[0]), precision="bfloat16")


def test_a_folded_convolution_is_convolution_norm_and_relu():
    block = fidelity.BasicConv2d(3, 5, kernel_size=(1, 3), stride=2, padding=(0, 1)).double().eval()
    generator = torch.Generator().manual_seed(0)
    for x in (block.bn.weight, block.bn.bias, block.bn.running_mean, block.bn.running_var):
        x.data.uniform_(0.5, 2, generator=generator)
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64, generator=generator)
    expected = block(x)
    torch.testing.assert_close(FoldedConv(block)(x.float()), expected.float(), rtol=1e-5, atol=1e-6)
    assert (expected == 0).any() and (expected > 0).any()


def test_fast_features_are_those_of_torch_fidelity_but_for_rounding(fast, telling_apart):
    """In a random network the rounding of bfloat16, a part in 250, grows to a tenth of the spread of the features."""
    path, images = telling_apart
    exact = fidelity.FeatureExtractorInceptionV3(
        "inception-v3-compat", LAYERS, feature_extractor_weights_path=str(path)
    )
    found = extract(fast, images, batch_size=3)
    for ours, theirs in zip((found.values, found.logits), exact(images), strict=True):
        error, spread = (ours - theirs).pow(2).mean().sqrt(), theirs.std(0).pow(2).mean().sqrt()
        assert 1e-3 < error / spread < 0.3
    assert torch.equal(extract(fast, images[:1], batch_size=1).values, found.values[:1])


def test_fast_scores_are_never_compared_with_others(fast, telling_apart, settings):
    with pytest.warns(UserWarning, match="not the 2015 Inception weights"):
        plain = InceptionExtractor(str(telling_apart[0]))
    assert fast.name == plain.name and fast.weights_hash == plain.weights_hash
    assert plain.preprocessing == inception_extractor.PREPROCESSING
    assert fast.preprocessing == f"{plain.preprocessing}; {DESCRIPTION}"
    first, second = (
        feature_protocol(
            e,
            metrics()["fid"],
            settings,
            reference="mnist5k",
            reference_fingerprint="ab" * 32,
            split="test",
            n_real=2,
            n_fake=2,
            weights="images",
            sample_seed=None,
        )
        for e in (plain, fast)
    )
    assert first.fingerprint() != second.fingerprint()
    with pytest.raises(ValueError, match="different protocols do not compare: preprocessing .*bfloat16"):
        require_comparable([first, second])
    keys = {CacheKey.of(e, images="ab" * 32, n=2, split="all").digest() for e in (plain, fast)}
    assert len(keys) == 2


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision: expected float32 .*got 'float16'"):
        InceptionExtractor(None, precision="float16")


def test_alpha_channel_is_refused(extractor):
    with pytest.raises(ValueError, match="'inception' expects 1 or 3 channels, got .*alpha"):
        extractor(torch.zeros(1, 4, 8, 8, dtype=torch.uint8))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="extractor.weights: expected a file"):
        InceptionExtractor(str(tmp_path / "none.pth"))


@pytest.mark.parametrize("content", [{"a": torch.zeros(1)}, torch.zeros(1), {"run": Path}])
def test_other_files_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="is not a state dict of torch-fidelity's InceptionV3"):
        InceptionExtractor(str(tmp_path / "other.pth"))


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


def test_a_file_that_runs_code_is_refused_unread(tmp_path):
    torch.save({"a": Payload(tmp_path / "trace")}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="is not a state dict"):
        InceptionExtractor(str(tmp_path / "evil.pth"))
    assert not (tmp_path / "trace").exists()


def offline(url, path, **_):
    raise URLError("no route to host")


def damaged(url, path, **_):
    Path(path).write_bytes(b"half a file")


@pytest.mark.parametrize(
    ("fetch", "message"),
    [(offline, "failed .*no route.*extractor.weights=PATH"), (damaged, "expected SHA-256 6726825d.*Delete .*and try")],
)
def test_failing_download_says_what_to_do(monkeypatch, tmp_path, fetch, message):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match=message):
        InceptionExtractor(weights=None)


def test_download_is_kept_verified_and_loaded(monkeypatch, tmp_path, random_weights):
    """The download path as a whole, with the random state dict in the place of the file on the server."""
    content, calls = random_weights.read_bytes(), []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda url, path, **_: calls.append(url) or Path(path).write_bytes(content)
    )
    monkeypatch.setattr(inception_extractor, "WEIGHTS_SHA256", inception_extractor.sha256(content))
    first, second = InceptionExtractor(None), InceptionExtractor(None)
    assert calls == [fidelity.URL_INCEPTION_V3]
    assert first.weights_hash == second.weights_hash == inception_extractor.WEIGHTS_SHA256


def test_the_pinned_digest_is_that_of_torch_fidelitys_file():
    prefix = fidelity.URL_INCEPTION_V3.removesuffix(".pth").rsplit("-", 1)[-1]
    assert inception_extractor.WEIGHTS_SHA256.startswith(prefix) and len(prefix) == 8
