"""docs/how-to/you_used_x_before.md: each tool's own code against the line of the page, with one random Inception."""

import json
import pickle
import re
import shlex
from pathlib import Path

import cleanfid.features
import cleanfid.fid
import cleanfid.inception_pytorch
import cleanfid.inception_torchscript
import numpy as np
import prdc
import pytest
import pytorch_fid.fid_score
import pytorch_fid.inception
import scipy.linalg
import torch
from PIL import Image
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics.image.fid import FrechetInceptionDistance, NoTrainInceptionV3

from ganvas.cli import main
from ganvas.extractors.base import ColourExtractor
from ganvas.extractors.features import Features, extract
from ganvas.extractors.fidelity import FidelityExtractor
from ganvas.extractors.inception import InceptionExtractor
from ganvas.extractors.resizers import resizer_called
from ganvas.metrics.frechet import Moments, moments_distance
from ganvas.metrics.registry import scores
from ganvas.scoring.statistics_file import load_statistics

from ..inceptions import pictures, random_inception, write_pictures

PAGE = Path(__file__).parents[2] / "docs/how-to/you_used_x_before.md"
N = 8
"""More than the five neighbours of coverage."""
CPU = torch.device("cpu")
KID = "photos_clean_custom_na_kid.npz"
AGREEMENT = 1e-5
"""Of statistics, relative to the largest number."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Pictures of 40x40 pixels in two folders, as every tool reads them."""
    made = {}
    for seed, (side, contrast) in enumerate((("samples", 90.0), ("photos", 75.0))):
        folder = tmp_path_factory.mktemp("pictures") / side
        made[side] = (folder, pictures(N, contrast, seed, size=40))
        write_pictures(made[side][1], folder)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory, folders):
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    random_inception(path, [images for _, images in folders.values()])
    return path


class Detector(nn.Module):
    """What the TorchScript file of StyleGAN, EDM and clean-fid does, with other weights."""

    def __init__(self, weights):
        super().__init__()
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
        )
        self.layers = nn.Sequential(*list(network.children())[:-1], nn.Flatten())

    def forward(self, x, return_features):
        assert return_features
        n, c, h, w = x.shape
        theta = torch.eye(2, 3)
        theta[0, 2] += 1 / w - 1 / 299
        theta[1, 2] += 1 / h - 1 / 299
        grid = nn.functional.affine_grid(theta.repeat(n, 1, 1), [n, c, 299, 299], align_corners=False)
        x = nn.functional.grid_sample(x.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
        return self.layers((x - 128) / 128)


@pytest.fixture
def at_the_tools(monkeypatch, weights):
    """Give the tools the random weights in the place of their downloads."""
    state = torch.load(weights, weights_only=True)
    for module in (pytorch_fid.inception, cleanfid.inception_pytorch):
        monkeypatch.setattr(module, "load_state_dict_from_url", lambda *_, **__: state)
    monkeypatch.setattr(cleanfid.inception_torchscript, "check_download_inception", lambda **_: None)
    monkeypatch.setattr(cleanfid.inception_torchscript.torch.jit, "load", lambda _: Detector(weights))


def of_pytorch_fid(folder, _):
    network = pytorch_fid.inception.InceptionV3([3])
    files = sorted(folder.glob("*.png"))
    return pytorch_fid.fid_score.get_activations(files, network, batch_size=N, num_workers=0)


def of_clean_fid(mode):
    def features(folder, _):
        network = cleanfid.features.build_feature_extractor(mode, CPU, use_dataparallel=False)
        return cleanfid.fid.get_folder_features(
            str(folder), network, num_workers=0, batch_size=N, device=CPU, mode=mode, verbose=False
        )

    return features


def of_torchmetrics(folder, weights):
    network = NoTrainInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    return network(pictures(N, 90.0, 0, size=40)).numpy()


def of_torch_fidelity(folder, weights):
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    return network(pictures(N, 90.0, 0, size=40))[0].numpy()


TOOLS = {
    "pytorch-fid": (of_pytorch_fid, "pytorch_fid", 1e-6),
    "clean-fid, clean": (of_clean_fid("clean"), "clean", 1e-6),
    "clean-fid, legacy_pytorch": (of_clean_fid("legacy_pytorch"), "pytorch_fid", 1e-3),
    "clean-fid, legacy_tensorflow; StyleGAN; EDM": (of_clean_fid("legacy_tensorflow"), "tensorflow", 1e-3),
    "torchmetrics": (of_torchmetrics, "torchmetrics", 1e-6),
    "torch-fidelity": (of_torch_fidelity, "tensorflow", 1e-6),
}
"""Features of a tool, our resizer, and the largest difference relative to the largest feature.

A random network makes a rounding of the pixels a hundred to a thousand times larger. Another resizer moves the features
by half of themselves.
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*not the 2015 Inception")
def test_features_are_those_of_each_tool_and_of_no_other(at_the_tools, folders, weights):
    folder, images = folders["samples"]
    ours = {
        name: extract(InceptionExtractor(str(weights), name), images, N).values.numpy()
        for name in ("tensorflow", "pytorch_fid", "clean", "torchmetrics")
    }
    for tool, (features, resizer, largest) in TOOLS.items():
        theirs = features(folder, weights)
        distance = {name: np.abs(x - theirs).max() / np.abs(theirs).max() for name, x in ours.items()}
        print(tool, {name: f"{d:.1e}" for name, d in distance.items()})
        assert distance.pop(resizer) < largest, tool
        assert min(distance.values()) > 0.2, tool


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + 0.1


def edms_distance(mu, sigma, mu_ref, sigma_ref):
    """The formula of EDM and EDM2, and of StyleGAN, whose covariances are divided by n."""
    root = scipy.linalg.sqrtm(sigma @ sigma_ref)
    return float(np.real(np.square(mu - mu_ref).sum() + np.trace(sigma + sigma_ref - 2 * root)))


@pytest.mark.parametrize(
    "distance",
    [pytorch_fid.fid_score.calculate_frechet_distance, cleanfid.fid.frechet_distance, edms_distance],
    ids=["pytorch-fid", "clean-fid", "EDM"],
)
def test_distances_of_equal_features_are_equal(distance):
    real, fake = normal(500, 32, 0), normal(400, 32, 1, 1.3)
    sides = [side for x in (fake, real) for side in (x.double().numpy().mean(0), np.cov(x.double().numpy().T))]
    ours = moments_distance(Moments.of(real), Moments.of(fake))
    assert distance(*sides) == pytest.approx(ours, rel=1e-9) and ours > 1


class Given(nn.Module):
    """The identity, where torchmetrics wants a network."""

    num_features = 32

    def forward(self, features):
        return features


def test_torchmetrics_distance_of_equal_features_is_equal():
    real, fake = normal(500, 32, 0), normal(400, 32, 1, 1.3)
    fid = FrechetInceptionDistance(feature=Given())
    fid.update(real, real=True)
    fid.update(fake, real=False)
    assert float(fid.compute()) == pytest.approx(moments_distance(Moments.of(real), Moments.of(fake)), rel=1e-6)


def test_stylegans_distance_has_covariances_divided_by_n():
    """With n images on both sides, the part of the covariances is (n - 1) / n of ours."""
    real, fake = normal(500, 32, 0), normal(500, 32, 1, 1.3)
    sides = [s for x in (fake, real) for s in (x.double().numpy().mean(0), np.cov(x.double().numpy().T, ddof=0))]
    moments = [Moments.of(x) for x in (real, fake)]
    means = float((moments[0].mean - moments[1].mean).square().sum())
    ours = moments_distance(*moments)
    assert edms_distance(*sides) == pytest.approx(means + (ours - means) * 499 / 500, rel=1e-9)


def side(values):
    return Features(values, None, "inception", "ab" * 32)


def test_kid_of_clean_fid_is_ours_where_no_subset_is_drawn(settings):
    """Both draw subsets at random; with all images in each there is nothing to draw."""
    real, fake = normal(60, 32, 0), normal(60, 32, 1, 1.3)
    theirs = cleanfid.fid.kernel_distance(real.numpy(), fake.numpy(), num_subsets=3, max_subset_size=1000)
    found = scores(side(real), side(fake), ["kid"], settings.replace(kid_subsets=1, kid_subset_size=1000))
    assert found["score/inception/kid"].value == pytest.approx(theirs, rel=1e-4) and theirs > 0.01


def test_prdc_is_prdcs_with_one_k(settings, capsys):
    real, fake = normal(80, 6, 0), normal(60, 6, 1, 0.9)
    theirs = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    found = scores(side(real), side(fake), ["prdc"], settings.replace(prc_neighbours=5, dc_neighbours=5))
    for name, value in theirs.items():
        assert found[f"score/inception/{name}"].value == pytest.approx(value, rel=1e-6)


def line(*parts):
    """Find the one line of the page that has all these parts."""
    said = re.findall(r"^ganvas score .*$", PAGE.read_text(), re.MULTILINE)
    (found,) = [text for text in said if all(part in text for part in parts)]
    return shlex.split(found, comments=True)[1:]


def run(words, folders, weights):
    """Run a line of the page, with these folders, and with the random weights in the place of the download."""
    places = {"samples/": folders["samples"][0], "photos/": folders["photos"][0]}
    words = [re.sub("samples/|photos/", lambda found: str(places[found[0]]), word) for word in words]
    few = ["settings.kid_subsets=2", "calibration=false", "paths.output=out", "paths.cache=cache", "batch_size=8"]
    assert main([*words, f"extractor.weights={weights}", *few]) == 0
    return json.loads(Path("out/result.json").read_text())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*not the 2015 Inception")
def test_statistics_of_pytorch_fid_and_of_its_line_are_equal(store, at_the_tools, folders, weights):
    run(line("resizer=pytorch_fid", "export_reference=photos.npz"), folders, weights)
    pytorch_fid.fid_score.save_fid_stats([str(folders["photos"][0]), "theirs.npz"], N, CPU, 2048, num_workers=0)
    assert_equal_moments("photos.npz", "theirs.npz")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*not the 2015 Inception")
def test_statistics_of_clean_fid_and_of_its_lines_are_equal(store, monkeypatch, at_the_tools, folders, weights):
    monkeypatch.setattr(cleanfid.fid.os.path, "dirname", lambda _: ".")
    build = cleanfid.features.build_feature_extractor
    monkeypatch.setattr(cleanfid.fid, "build_feature_extractor", lambda mode, device: build(mode, device, False))
    cleanfid.fid.make_custom_stats("photos", str(folders["photos"][0]), mode="clean", device=CPU)
    run(line("export_reference=photos_clean_custom_na.npz"), folders, weights)
    run(line("export_reference=photos_clean_custom_na_kid.npz"), folders, weights)
    assert_equal_moments("photos_clean_custom_na.npz", "stats/photos_clean_custom_na.npz")
    ours, theirs = (np.load(path)["feats"] for path in ("photos_clean_custom_na_kid.npz", "stats/" + KID))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=AGREEMENT * np.abs(theirs).max())
    found = run(line("reference=stats/" + KID), folders, weights)
    samples = of_clean_fid("clean")(folders["samples"][0], weights)
    theirs = cleanfid.fid.kernel_distance(np.load("stats/" + KID)["feats"], samples)
    assert found["scores"]["score/inception/kid"]["value"] == pytest.approx(theirs, rel=1e-3)


def assert_equal_moments(ours, theirs):
    with np.load(ours) as one, np.load(theirs) as other:
        for name in ("mu", "sigma"):
            largest = np.abs(other[name]).max()
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=AGREEMENT * largest)
            assert largest > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*not the 2015 Inception", "ignore::DeprecationWarning")
def test_a_fid_of_pytorch_fid_is_that_of_its_line(store, at_the_tools, folders, weights):
    paths = [str(folders[side][0]) for side in ("samples", "photos")]
    theirs = pytorch_fid.fid_score.calculate_fid_given_paths(paths, N, CPU, 2048, num_workers=0)
    found = run(line("samples/ reference=photos/", "resizer=pytorch_fid"), folders, weights)
    print(theirs, found["scores"]["score/inception/fid"])
    assert found["scores"]["score/inception/fid"]["value"] == pytest.approx(theirs, rel=1e-3)


class Small(ColourExtractor):
    """An extractor in the place of the Inception, with its resizers and twelve features, for files of every tool."""

    name, num_features, num_classes, weights_hash = "inception", 12, 8, "ab" * 32

    def __init__(self, weights, resizer):
        super().__init__()
        self.register_buffer("place", torch.zeros(1))
        self.resize = resizer_called(resizer)
        self.preprocessing = self.resize.preprocessing

    def extract_rgb(self, images):
        values = nn.functional.adaptive_avg_pool2d(self.resize(images), 2).flatten(1)
        return values, 10 * values[:, :8]


def extractor_of(given):
    """The extractor of a line of the page, which reads the file that the line has written."""
    resizer = given.get("extractor.resizer", "tensorflow")
    if given["extractor"] == "dinov2":
        return FidelityExtractor("dinov2-vit-l-14", "dinov2", None, resizer)
    return Small(None, resizer)


MANY = 30
LINES = re.findall(r"^ganvas score .*$", PAGE.read_text(), re.MULTILINE)


def small_features(folder, resizer):
    return Small(None, resizer)(images_in(folder))[0].numpy()


def images_in(folder):
    paths = sorted(Path(folder).glob("*.png"))
    return torch.stack([torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) for path in paths])


def write_files_of_tools():
    """Statistics of photos/ as each tool writes them; the resizer is that of the tool."""
    x = {name: small_features("photos", name) for name in ("tensorflow", "pytorch_fid", "clean")}
    of = {name: {"mu": values.mean(0), "sigma": np.cov(values, rowvar=False)} for name, values in x.items()}
    np.savez_compressed("photos.npz", **of["pytorch_fid"])
    np.savez("cifar10-32x32.npz", **of["tensorflow"])
    dinov2 = small_dinov2_features("photos", "edm2")
    of["dinov2"] = {"mu": dinov2.mean(0), "sigma": np.cov(dinov2, rowvar=False)}
    both = {"num_images": MANY, "fid": of["tensorflow"], "fd_dinov2": of["dinov2"]}
    Path("img512.pkl").write_bytes(pickle.dumps(both))
    torch.save(of["tensorflow"], "photos-inception-v3-compat-stat-fid-2048.pt")
    Path("stats").mkdir()
    np.savez_compressed("stats/" + KID, feats=x["clean"])
    exact = x["tensorflow"].astype(np.float64)
    sums = {"num_items": MANY, "raw_mean": exact.sum(0), "raw_cov": exact.T @ exact, "all_features": []}
    Path("photos-inception-2015-12-05-0123.pkl").write_bytes(pickle.dumps(sums))
    Path("photos-inception-2015-12-05-4567.pkl").write_bytes(
        pickle.dumps(sums | {"raw_mean": 0 * exact[0], "all_features": [x["tensorflow"][:9], x["tensorflow"][9:]]})
    )


def by_pillow(x, kind):
    """Resize each channel by Pillow to DINOv2's 224 pixels, in whole grey levels or in float32."""
    channels = x.flatten(0, 1).numpy().astype(kind)
    sized = [np.asarray(Image.fromarray(c).resize((224, 224), Image.Resampling.BICUBIC)) for c in channels]
    return torch.from_numpy(np.stack(sized)).view(len(x), 3, 224, 224).float()


BEFORE_DINOV2 = {
    "edm2": lambda x: nn.functional.interpolate(x.float(), size=(224, 224), mode="bicubic", antialias=True),
    "pillow": lambda x: by_pillow(x, np.uint8),
    "clean": lambda x: by_pillow(x, np.float32).clip(0, 255),
}
"""What EDM2, and dgm-eval without and with --clean_resize, do to pictures, written out."""


class SmallDinov2(nn.Module):
    """A network in the place of DINOv2: twelve means."""

    def __init__(self):
        super().__init__()
        self.register_buffer("place", torch.zeros(1))

    def forward(self, x):
        return nn.functional.adaptive_avg_pool2d(x.abs(), 2).flatten(1)


def small_dinov2_features(folder, resizer):
    x = BEFORE_DINOV2[resizer](images_in(folder)) / 255
    x = x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return SmallDinov2()(x / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)).numpy()


FEATURES = {"inception": small_features, "dinov2": small_dinov2_features}


def expected_of(metrics, resizer, ks, extractor):
    """Scores of samples/ against photos/ by the code of pytorch-fid, clean-fid and prdc."""
    fake, real = (FEATURES[extractor](folder, resizer) for folder in ("samples", "photos"))
    moments = [part for x in (fake, real) for part in (x.mean(0), np.cov(x, rowvar=False))]
    found = {
        "fid": pytorch_fid.fid_score.calculate_frechet_distance(*moments),
        "fd": pytorch_fid.fid_score.calculate_frechet_distance(*moments),
        "kid": cleanfid.fid.kernel_distance(real, fake, num_subsets=1),
    }
    asked = {name: value for name, value in found.items() if name in re.findall(r"\w+", metrics)}
    if "prdc" in metrics:
        asked |= {name: prdc.compute_prdc(real, fake, nearest_k=k)[name] for name, k in ks.items()}
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("said", LINES)
@pytest.mark.filterwarnings("ignore:.*does not say which extractor", "ignore::DeprecationWarning")
def test_every_line_of_the_page_gives_the_number_of_its_tool(store, monkeypatch, said):
    monkeypatch.setattr("ganvas.extractors.inception.InceptionExtractor", Small)
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: SmallDinov2())
    for seed, (side, contrast) in enumerate((("samples", 90.0), ("photos", 75.0))):
        write_pictures(pictures(MANY, contrast, seed, size=40), Path(side))
    write_files_of_tools()
    words = shlex.split(said, comments=True)[1:]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    assert main([*words, "calibration=false", "paths.output=out", "paths.cache=cache"]) == 0
    if "export_reference" in given:
        load_statistics(Path(given["export_reference"]), extractor_of(given))
        return
    found = json.loads(Path("out/result.json").read_text())["scores"]
    first, last = (int(given.get(f"settings.{name}_neighbours", k)) for name, k in (("prc", 3), ("dc", 5)))
    ks = {"precision": first, "recall": first, "density": last, "coverage": last}
    expected = expected_of(given["metrics"], given.get("extractor.resizer", "tensorflow"), ks, given["extractor"])
    assert expected and all(value != 0 for value in expected.values())
    for name, value in expected.items():
        # Sums of clean-fid's KID are in float32.
        key = f"score/{given['extractor']}/{name}"
        assert found[key]["value"] == pytest.approx(value, rel=1e-5, abs=2e-6), name
