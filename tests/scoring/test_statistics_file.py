"""Reference statistics: round trip, pytorch-fid's layout, safe reading, and what moments do not suffice for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.registry import scores
from ganvas.scoring.statistics_file import format_to_write, load_statistics, save_statistics
from ganvas.scoring.statistics_formats import PytorchFid

D = 128
FROM = {"preprocessing": MnistExtractor.preprocessing, "images": "ab" * 32, "form": PytorchFid()}


def features(extractor, n=300, seed=0, shape=(1, 28, 28)):
    g = torch.Generator().manual_seed(seed)
    made = torch.randn(n, D, generator=g), torch.randn(n, 10, generator=g)
    return Features(*made, extractor.name, extractor.weights_hash, shape)


def test_a_round_trip_scores_the_same_bits(tmp_path, mnist_extractor, settings):
    real, fake = features(mnist_extractor), features(mnist_extractor, 200, 1)
    save_statistics(tmp_path / "mnist.npz", real, **FROM)
    loaded = load_statistics(tmp_path / "mnist.npz", mnist_extractor)
    names = ["fd", "is", "fd_infinity"]
    assert scores(loaded, fake, names, settings) == scores(real, fake, names, settings)
    assert loaded.n == 300 and len(loaded.fingerprint()) == 64
    save_statistics(tmp_path / "other.npz", fake, **FROM)
    assert load_statistics(tmp_path / "other.npz", mnist_extractor).fingerprint() != loaded.fingerprint()


def test_the_file_is_pytorch_fids(tmp_path, mnist_extractor):
    real = features(mnist_extractor)
    save_statistics(tmp_path / "x.npz", real, **FROM)
    # As pytorch-fid reads it.
    with np.load(tmp_path / "x.npz") as f:
        m, s = f["mu"][:], f["sigma"][:]
    np.testing.assert_allclose(m, real.values.double().mean(0))
    np.testing.assert_allclose(s, np.cov(real.values.double().numpy(), rowvar=False))
    np.savez(tmp_path / "fid.npz", mu=m, sigma=s)
    with pytest.warns(UserWarning, match="does not say which extractor it is of: 'mnist'"):
        loaded = load_statistics(tmp_path / "fid.npz", mnist_extractor)
    assert loaded.n is None and torch.equal(loaded.moments.covariance, moments_of(real).covariance)


@pytest.mark.parametrize("name", ["kid", "precision", "recall", "density", "coverage", "prdc"])
def test_other_metrics_refuse_statistics(tmp_path, mnist_extractor, settings, name):
    save_statistics(tmp_path / "x.npz", features(mnist_extractor), **FROM)
    loaded = load_statistics(tmp_path / "x.npz", mnist_extractor)
    with pytest.raises(ValueError, match="needs the reference's features, .*statistics .*give the images"):
        scores(loaded, features(mnist_extractor), [name], settings)


def arrays(**changes):
    return {"mu": np.zeros(D), "sigma": np.eye(D)} | changes


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": np.zeros(3)}, r"expected arrays mu and sigma, got \['images'\]"),
        (arrays(mu=np.zeros(2048)), r"expected mu \(128,\) .*got \(2048,\)"),
        (arrays(mu=np.full(D, np.nan)), "expected finite moments"),
        (arrays(sigma=-np.eye(D)), "variances of 0 or more"),
        (arrays(sigma=np.triu(np.ones((D, D)))), "expected a symmetric sigma"),
        (arrays(extractor="inception", weights_hash="ab" * 32), "statistics of extractor 'inception' .*mnist .*asked"),
    ],
)
def test_bad_files_are_refused(tmp_path, mnist_extractor, content, message):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(ValueError, match=message):
        load_statistics(tmp_path / "x.npz", mnist_extractor)


def test_a_file_that_runs_code_is_refused_unread(tmp_path, mnist_extractor):
    evil = np.array([Payload(tmp_path / "trace")], dtype=object)
    np.savez(tmp_path / "x.npz", mu=evil, sigma=np.eye(D))
    with pytest.raises(ValueError, match="cannot be read as .npz of reference statistics"):
        load_statistics(tmp_path / "x.npz", mnist_extractor)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04half", b"not a zip"])
def test_unreadable_files_are_refused(tmp_path, mnist_extractor, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as .npz"):
        load_statistics(tmp_path / "x.npz", mnist_extractor)
    with pytest.raises(ValueError, match="cannot be read as .npz"):
        load_statistics(tmp_path / "none.npz", mnist_extractor)
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(ValueError, match="cannot be read as .npy"):
        load_statistics(tmp_path / "x.npy", mnist_extractor)


def test_another_suffix_is_refused():
    with pytest.raises(ValueError, match="x.txt: expected a file that ends with .npz or .pt or .pkl; write x.npz"):
        format_to_write(Path("x.txt"), None)
    with pytest.raises(ValueError, match="x.npz: expected a file that ends with .pkl; write x.pkl"):
        format_to_write(Path("x.npz"), "edm2")
    with pytest.raises(ValueError, match="export_format=edm is unknown; write one of pytorch_fid, clean_fid_kid, "):
        format_to_write(Path("x.npz"), "edm")


def test_one_image_has_no_covariance(tmp_path, mnist_extractor):
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        save_statistics(tmp_path / "x.npz", features(mnist_extractor, n=1), **FROM)


def test_another_extractor_is_refused(tmp_path, mnist_extractor, settings):
    save_statistics(tmp_path / "x.npz", features(mnist_extractor), **FROM)
    loaded = load_statistics(tmp_path / "x.npz", mnist_extractor)
    with pytest.raises(ValueError, match="extract both sides with one extractor"):
        scores(loaded, replace(features(mnist_extractor), weights_hash="0" * 64), ["fd"], settings)


def test_another_preprocessing_is_refused(tmp_path, mnist_extractor):
    save_statistics(tmp_path / "x.npz", features(mnist_extractor), **{**FROM, "preprocessing": "u / 255"})
    with pytest.raises(ValueError, match="preprocessed as 'u / 255', but extractor=mnist does '1x28x28"):
        load_statistics(tmp_path / "x.npz", mnist_extractor)
