"""Files of other tools: read as those tools write them, and written as those tools read them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics
from torch_fidelity.utils import cache_lookup_group_recompute_all_on_any_miss, cache_lookup_one_recompute_on_miss

from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.extractors.inception import PREPROCESSING
from ganvas.metrics.comparison import Statistics, fingerprint_of, moments_of
from ganvas.metrics.registry import scores
from ganvas.scoring.statistics_file import format_to_write, holds_statistics, load_statistics, save_statistics
from ganvas.scoring.statistics_formats import DINOV2, FORMATS

N, D = 40, 6
VALUES = torch.randn(N, D, generator=torch.Generator().manual_seed(0)) + 1
EXACT = VALUES.double().numpy()
MU, SIGMA = EXACT.mean(0), np.cov(EXACT, rowvar=False)


class Six(Extractor):
    """The extractor that a file is checked against; its six features are never computed."""

    num_features, num_classes, weights_hash = D, None, "ab" * 32

    def __init__(self, name="inception", preprocessing=PREPROCESSING):
        super().__init__()
        self.name, self.preprocessing = name, preprocessing

    def check(self, images):
        raise NotImplementedError

    def extract(self, images):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save(path, name=None, extractor="inception", preprocessing=PREPROCESSING):
    form = format_to_write(Path(path), name)
    features = Features(VALUES, None, extractor, Six.weights_hash)
    save_statistics(Path(path), features, preprocessing=preprocessing, images="cd" * 32, form=form)


def load(path, **of):
    with pytest.warns(UserWarning, match="does not say which extractor it is of"):
        return load_statistics(Path(path), Six(**of))


def assert_moments(found, n=None):
    assert isinstance(found, Statistics) and found.n == n
    np.testing.assert_allclose(found.moments.mean, MU, rtol=1e-12)
    np.testing.assert_allclose(found.moments.covariance, SIGMA, rtol=1e-12)


def assert_features(found):
    assert isinstance(found, Features) and torch.equal(found.values, VALUES) and found.logits is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stats.npz", "pytorch_fid"),
        ("faces_clean_custom_na_kid.npz", "clean_fid_kid"),
        ("faces-inception-v3-compat-stat-fid-2048.pt", "torch_fidelity"),
        ("faces-inception-v3-compat-features-2048.pt", "torch_fidelity_features"),
        ("faces.pkl", "edm2"),
        ("faces-inception-2015-12-05-0123.pkl", "stylegan"),
    ],
)
def test_the_name_of_a_file_says_its_format(path, name):
    assert format_to_write(Path(path), None).name == name
    save(path)
    assert holds_statistics(Path(path))


@pytest.mark.parametrize("name", [form.name for form in FORMATS])
def test_every_format_reads_what_it_writes(name, settings):
    form = next(form for form in FORMATS if form.name == name)
    save(f"x{form.suffix}", name)
    found = load_statistics(Path(f"x{form.suffix}"), Six()) if name == "pytorch_fid" else load(f"x{form.suffix}")
    np.testing.assert_allclose(moments_of(found).covariance, SIGMA, rtol=1e-12)
    fake = Features(VALUES.flip(0)[:30] * 2, None, "inception", Six.weights_hash)
    direct = scores(Features(VALUES, None, "inception", Six.weights_hash), fake, ["fid"], settings)
    key = "score/inception/fid"
    assert scores(found, fake, ["fid"], settings)[key].value == pytest.approx(direct[key].value, rel=1e-10)


def test_features_serve_every_score(settings):
    save("x_kid.npz")
    fake = Features(VALUES.flip(0)[:30] * 2, None, "inception", Six.weights_hash)
    names = ["kid", "prdc", "fid"]
    real = Features(VALUES, None, "inception", Six.weights_hash)
    assert scores(load("x_kid.npz"), fake, names, settings) == scores(real, fake, names, settings)


def test_the_fingerprint_is_that_of_the_content():
    save("x_kid.npz")
    save("y-features-2048.pt")
    np.savez("z_kid.npz", feats=VALUES.numpy() * 2)
    x, y, z = (fingerprint_of(load(path)) for path in ("x_kid.npz", "y-features-2048.pt", "z_kid.npz"))
    assert x == y != z and len(x) == 64


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_clean_fids_files_are_read(write):
    write("faces_clean_custom_na.npz", mu=MU, sigma=SIGMA)
    write("faces_clean_custom_na_kid.npz", feats=VALUES.numpy())
    assert_moments(load("faces_clean_custom_na.npz", preprocessing="clean"))
    assert_features(load("faces_clean_custom_na_kid.npz", preprocessing="clean"))


def test_clean_fid_reads_the_features():
    save("faces_kid.npz", preprocessing="clean")
    np.testing.assert_array_equal(np.load("faces_kid.npz")["feats"], VALUES.numpy())  # as get_reference_statistics


def fail():
    raise AssertionError("torch-fidelity did not find its file")


def test_torch_fidelitys_cache_is_read_and_written():
    of = {"cache": True, "cache_root": ".", "verbose": False}
    exact = torch.from_numpy(EXACT)
    cache_lookup_one_recompute_on_miss("a-stat-fid-2048", lambda: fid_features_to_statistics(exact), **of)
    cache_lookup_group_recompute_all_on_any_miss("a-features-", ["2048"], lambda: {"2048": VALUES}, **of)
    assert_moments(load("a-stat-fid-2048.pt"))
    assert_features(load("a-features-2048.pt"))
    save("b-stat-fid-2048.pt")
    save("b-features-2048.pt")
    found = cache_lookup_one_recompute_on_miss("b-stat-fid-2048", fail, **of)
    np.testing.assert_allclose(found["mu"], MU, rtol=1e-12)
    np.testing.assert_allclose(found["sigma"], SIGMA, rtol=1e-12)
    assert torch.equal(
        cache_lookup_group_recompute_all_on_any_miss("b-features-", ["2048"], fail, **of)["2048"], VALUES
    )


def test_edms_files_are_read():
    np.savez("cifar10-32x32.npz", mu=MU, sigma=SIGMA)
    assert_moments(load("cifar10-32x32.npz"))
    both = {"num_images": N, "fid": {"mu": MU, "sigma": SIGMA}, "fd_dinov2": {"mu": -MU, "sigma": SIGMA}}
    Path("img512.pkl").write_bytes(pickle.dumps(both))
    assert_moments(load("img512.pkl"), N)
    for name, preprocessing in DINOV2.items():
        found = load("img512.pkl", name=name, preprocessing=preprocessing)
        np.testing.assert_array_equal(found.moments.mean, -MU)
    with (
        pytest.warns(UserWarning, match="does not say"),
        pytest.raises(ValueError, match="not clipped.* does 'on another grid'; .* and its extractor.resizer"),
    ):
        load_statistics(Path("img512.pkl"), Six("dinov2", "on another grid"))


def test_edm2_reads_its_file():
    save("faces.pkl")
    found = pickle.loads(Path("faces.pkl").read_bytes())
    assert found["num_images"] == N and set(found) == {"num_images", "fid"}
    np.testing.assert_allclose(found["fid"]["sigma"], SIGMA, rtol=1e-12)


def stylegan(**captured):
    """The attributes of a FeatureStats after two batches."""
    state = {"max_items": N, "num_items": N, "num_features": D, "all_features": []}
    state |= {"capture_all": False, "capture_mean_cov": False} | dict.fromkeys(captured, True)
    state |= {"raw_mean": np.zeros(D), "raw_cov": np.zeros((D, D))}
    for batch in np.split(VALUES.numpy(), [25]):
        if state["capture_all"]:
            state["all_features"].append(batch)
        if state["capture_mean_cov"]:
            state["raw_mean"] += batch.astype(np.float64).sum(axis=0)
            state["raw_cov"] += batch.astype(np.float64).T @ batch.astype(np.float64)
    return pickle.dumps(state)


def test_stylegans_cache_is_read():
    Path("a-inception-2015-12-05-0123.pkl").write_bytes(stylegan(capture_mean_cov=True))
    Path("b-inception-2015-12-05-4567.pkl").write_bytes(stylegan(capture_all=True))
    assert_moments(load("a-inception-2015-12-05-0123.pkl"), N)
    assert_features(load("b-inception-2015-12-05-4567.pkl"))


def test_stylegan_reads_its_file():
    """As FeatureStats.load, get_all and get_mean_cov do."""
    save("x.pkl", "stylegan")
    state = pickle.loads(Path("x.pkl").read_bytes())
    assert state["capture_all"] and state["capture_mean_cov"] and state["max_items"] == state["num_items"] == N
    np.testing.assert_array_equal(np.concatenate(state["all_features"], axis=0), VALUES.numpy())
    mean = state["raw_mean"] / state["num_items"]
    covariance = state["raw_cov"] / state["num_items"] - np.outer(mean, mean)
    np.testing.assert_allclose(mean, MU, rtol=1e-12)
    np.testing.assert_allclose(covariance, SIGMA * (N - 1) / N, rtol=1e-10)


@pytest.mark.parametrize("path", ["x-stat-fid-2048.pt", "x-features-2048.pt", "x.pkl", "x-inception-2015-12-05-0.pkl"])
def test_a_tool_that_preprocesses_in_one_way_takes_no_other(path):
    with pytest.raises(ValueError, match=r"its tool preprocesses images as 'grey.*grid.*', got 'clean'; use the ext"):
        save(path, preprocessing="clean")
    save(path)
    with (
        pytest.warns(UserWarning, match="does not say"),
        pytest.raises(ValueError, match="preprocessed as 'grey.* does 'clean'; use the extractor that the file"),
    ):
        load_statistics(Path(path), Six(preprocessing="clean"))


def test_edm2_knows_two_extractors():
    with pytest.raises(ValueError, match="export_format=edm2 knows inception, dinov2, .*, got extractor=clip"):
        save("x.pkl", extractor="clip")
    with pytest.raises(ValueError, match="preprocesses images as 'dinov2-vit-l-14 .*bicubic to 224x224 .* not clipped"):
        save("x.pkl", extractor="dinov2", preprocessing="on another grid")
    save("x.pkl")
    with pytest.raises(ValueError, match="expected statistics of extractor=mnist, got fid, num_images"):
        load_statistics(Path("x.pkl"), Six("mnist"))


def stats(**changes):
    return pickle.dumps({"num_items": N, "raw_mean": MU, "raw_cov": SIGMA, "all_features": []} | changes)


BAD = {
    "another dict": ("x.pkl", pickle.dumps({"images": np.zeros(3)}), "expected arrays mu and sigma, got .'images'."),
    "no dict": ("x.pkl", pickle.dumps([1.0]), "cannot be read as .pkl of reference statistics"),
    "no count": ("x.pkl", stats(num_items=None), "cannot be read as statistics of the format stylegan"),
    "no numbers": ("x.pkl", stats(all_features=["x"]), "cannot be read as statistics of the format stylegan"),
    "one image": ("x.pkl", stats(num_items=1), "cannot be read as statistics of the format stylegan|finite moments"),
    "other features": ("x.pkl", stats(all_features=[np.zeros((4, 3))]), r"expected features \(n, 6\) .* got \(4, 3\)"),
    "features nan": ("x.pkl", stats(all_features=[np.full((4, D), np.nan)]), "expected finite features"),
    "mu only": ("x.pkl", pickle.dumps({"fid": {"mu": MU}}), "format edm2 .'sigma'."),
    "no array": ("x.pkl", pickle.dumps({"fid": {"mu": 1, "sigma": 2}}), "got None and None|of the format edm2"),
    "a call": (
        "x.pkl",
        b"cos\nsystem\n(S'touch trace'\ntR.",
        "no pickle of arrays and numbers .* names 'os.sys",
    ),
    "no zip": ("x.pt", b"no zip", "cannot be read as .pt of reference statistics"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore:.*does not say which extractor", "ignore:divide by zero", "ignore:invalid value")
def test_bad_files_are_refused(name):
    path, content, message = BAD[name]
    Path(path).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_statistics(Path(path), Six())
    assert not Path("trace").exists()


def test_code_in_a_file_of_torch_is_refused_unread():
    class Call:
        def __reduce__(self):
            return Path.write_text, (Path("trace"), "ran")

    for content in ({"mu": Call()}, [torch.zeros(2), Call()]):
        torch.save(content, "x.pt")
        with pytest.raises(ValueError, match="cannot be read as .pt"):
            load_statistics(Path("x.pt"), Six())
    assert not Path("trace").exists()
