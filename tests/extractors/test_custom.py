"""The user's own networks, and torch-fidelity's, through small modules made here."""

import sys

import pytest
import torch
from torch import nn
from torch_fidelity import feature_extractor_base, registry
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganvas.extractors import fidelity as fidelity_extractor
from ganvas.extractors.checksum import WeightsError, sha256, state_sha256
from ganvas.extractors.custom import CustomExtractor
from ganvas.extractors.features import extract
from ganvas.extractors.fidelity import FidelityExtractor

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
IMAGES = torch.randint(0, 256, (5, 1, 10, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.nn.init.normal_(torch.empty(3))
        self.conv = nn.Conv2d(3, 4, 3)
        for i, p in enumerate(self.parameters()):
            nn.init.constant_(p, 0.1 * (i + 1))
        self.drop = nn.Dropout()

    def forward(self, x):
        return self.drop(self.conv(x)).mean((2, 3))

class Pair(Net):
    def forward(self, x):
        return super().forward(x), x.mean((2, 3))

class Map(Net):
    def forward(self, x):
        return self.conv(x)

def number():
    return 3
"""


def custom(module, **changes):
    arguments = {"name": "mine", "size": 8, "channels": 3, "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.6, 0.7]} | changes
    return CustomExtractor(module=str(module), **arguments)


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "users_nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_nets", raising=False)
    return "users_nets"


def script(path, channels=3):
    net = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    torch.jit.trace(net, torch.zeros(2, channels, 8, 8)).save(str(path))
    return net


def expected(net, images, channels=3):
    x = interpolate_bilinear_2d_like_tensorflow1x(
        images.expand(-1, channels, -1, -1).float(), size=(8, 8), align_corners=False
    )
    mean, std = (torch.tensor(v[:channels]).view(1, -1, 1, 1) for v in ([0.5, 0.4, 0.3], [0.5, 0.6, 0.7]))
    with torch.no_grad():
        return net((x / 255 - mean) / std)


def test_a_torchscript_file(tmp_path):
    net = script(tmp_path / "net.pt")
    extractor = custom(tmp_path / "net.pt")
    found = extract(extractor, IMAGES, 2)
    torch.testing.assert_close(found.values, expected(net, IMAGES), rtol=1e-5, atol=1e-6)
    assert (extractor.num_features, extractor.num_classes, found.logits, found.shape) == (4, None, None, (1, 10, 12))
    assert extractor.weights_hash == sha256((tmp_path / "net.pt").read_bytes())
    assert "grey replicated to RGB; bilinear to 8x8" in extractor.preprocessing
    assert "(u / 255 - [0.5, 0.4, 0.3]) / [0.5, 0.6, 0.7]" in extractor.preprocessing


def test_a_grey_module_takes_grey_only(tmp_path):
    net = script(tmp_path / "net.ts", channels=1)
    extractor = custom(tmp_path / "net.ts", channels=1, mean=[0.5], std=[0.5])
    assert extractor.preprocessing.startswith("grey; ")
    x = interpolate_bilinear_2d_like_tensorflow1x(IMAGES.float(), size=(8, 8), align_corners=False) / 127.5 - 1
    torch.testing.assert_close(extract(extractor, IMAGES, 5).values, net(x).detach(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="'mine' expects 1 channels, got .*channels=3"):
        extractor(IMAGES.expand(-1, 3, -1, -1))


def test_an_importable_module_and_its_source_are_the_weights(package, tmp_path, monkeypatch):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    extractor = custom("users_nets.Net")
    assert torch.equal(torch.get_rng_state(), before) and not extractor.train().module.drop.training
    net = sys.modules["users_nets"].Net().eval()
    torch.testing.assert_close(extract(extractor, IMAGES, 5).values, expected(net, IMAGES))
    assert custom("users_nets.Net").weights_hash == extractor.weights_hash
    (tmp_path / "users_nets.py").write_text(SOURCE + "\n# other code\n")
    assert custom("users_nets.Net").weights_hash != extractor.weights_hash


def test_a_pair_is_features_and_logits(package):
    extractor = custom("users_nets.Pair")
    assert (extractor.num_features, extractor.num_classes) == (4, 3)
    assert extract(extractor, IMAGES, 5).logits.shape == (5, 3)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("users_nets.Map", r"must return float features \(n, d\).*got \[\(2, 4, 6, 6\)\] for n=2; flatten or pool"),
        ("users_nets.number", r"expected 'users_nets.number\(\)' to return a torch.nn.Module, got int"),
        ("users_nets.Missing", "expected an importable path .*Missing"),
        ("no_such_package.Net", "expected an importable path .*no_such_package"),
        ("Net", "expected an importable path"),
        ("nowhere.pt", "expected a file, got nowhere.pt"),
        ("nowhere.onnx", "expected a file, got nowhere.onnx"),
    ],
)
def test_bad_modules_are_refused(package, module, message):
    with pytest.raises(ValueError, match=f"module: .*{message}"):
        custom(module)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"net.pt cannot be read as a .pt network"):
        custom(tmp_path / "net.pt")


def test_onnx_without_onnxruntime_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "net.onnx").write_bytes(b"anything")
    with pytest.raises(ValueError, match="needs onnxruntime, .*pip install onnxruntime"):
        custom(tmp_path / "net.onnx")


def test_an_onnx_file(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    h = onnx.helper
    pool = h.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    value = onnx.TensorProto.FLOAT
    graph = h.make_graph(
        [pool],
        "g",
        [h.make_tensor_value_info("x", value, ["n", 3, 8, 8])],
        [h.make_tensor_value_info("y", value, ["n", 3])],
    )
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), tmp_path / "net.onnx")
    extractor = custom(tmp_path / "net.onnx")
    found = extract(extractor, IMAGES, 2).values
    torch.testing.assert_close(found, expected(lambda x: x.mean((2, 3)), IMAGES), rtol=1e-5, atol=1e-6)
    (tmp_path / "net.onnx").write_bytes(b"half")
    with pytest.raises(ValueError, match="cannot be read as a .onnx network"):
        custom(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "inception"}, "name: .*none of inception, mnist"),
        ({"name": "dinov2"}, "name: "),
        ({"name": "My/Net"}, "name: expected lower-case letters"),
        ({"size": 0}, "size: expected at least 1 pixel, got 0"),
        ({"channels": 4}, "channels: expected 1 or 3, got 4"),
        ({"mean": [0.5]}, "mean, std: expected 3 numbers each"),
        ({"std": [0.5, 0.0, 0.5]}, "std above 0"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        custom("users_nets.Net", **changes)


@pytest.fixture
def small_vgg(monkeypatch):
    """Torch-fidelity's class around a small network: VGG16 itself has 138 million parameters."""

    def vgg16():
        tail = [nn.Linear(48, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 2)]
        model = nn.Sequential()
        model.pool = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        model.classifier = nn.Sequential(*tail)
        return model

    monkeypatch.setattr("torchvision.models.vgg16", vgg16)
    return vgg16


@pytest.mark.parametrize("channels", [1, 3])
def test_vgg16_with_local_weights_is_torch_fidelitys(small_vgg, tmp_path, channels):
    torch.save(small_vgg().state_dict(), tmp_path / "vgg.pth")
    extractor = FidelityExtractor("vgg16", "fc2_relu", str(tmp_path / "vgg.pth"))
    own = registry.FEATURE_EXTRACTORS_REGISTRY["vgg16"](
        "vgg16", ["fc2_relu"], feature_extractor_weights_path=tmp_path / "vgg.pth"
    )
    images = IMAGES.expand(-1, channels, -1, -1)
    torch.testing.assert_close(extract(extractor, images, 5).values, own(IMAGES.expand(-1, 3, -1, -1))[0])
    assert (extractor.name, extractor.num_features, extractor.num_classes) == ("vgg16", 5, None)
    assert extractor.weights_hash == state_sha256(own) and "bilinear to 224x224" in extractor.preprocessing
    with pytest.raises(ValueError, match="'vgg16' expects 1 or 3 channels"):
        extractor(IMAGES.expand(-1, 4, -1, -1))


def test_clip_with_a_local_archive_is_torch_fidelitys(tmp_path, monkeypatch):
    clip = sys.modules["torch_fidelity.feature_extractor_clip"]

    class Visual(nn.Module):
        input_resolution = 16

        def __init__(self, state):
            super().__init__()
            self.weight = nn.Parameter(state["weight"])

        def forward(self, x):
            return x.mean((2, 3)) @ self.weight.T

    def build_model(state, dtype):
        model = nn.Module()
        model.visual = Visual(state)
        return model

    monkeypatch.setattr(clip, "build_model", build_model)
    torch.jit.trace(nn.Linear(3, 7), torch.zeros(1, 3)).save(str(tmp_path / "clip.pt"))
    extractor = FidelityExtractor("clip-vit-b-32", "clip", str(tmp_path / "clip.pt"))
    assert (extractor.name, extractor.num_features) == ("clip", 7) and "16x16" in extractor.preprocessing
    assert extractor.preprocessing.startswith("clip-vit-b-32 clip; ")
    assert extract(extractor, IMAGES, 5).values.shape == (5, 7)
    torch.save({"a": torch.zeros(1)}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="cannot be read as weights of 'clip-vit-b-32'"):
        FidelityExtractor("clip-vit-b-32", "clip", str(tmp_path / "state.pt"))


def test_dinov2_comes_from_torch_hub(monkeypatch):
    class Small(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    monkeypatch.setattr(torch.hub, "load", lambda repo, name: (Small(), torch.rand(1))[0])
    before = torch.get_rng_state()
    extractor = FidelityExtractor("dinov2-vit-l-14", "dinov2", None)
    assert torch.equal(torch.get_rng_state(), before)
    assert (extractor.name, extractor.num_features) == ("dinov2", 3)
    with pytest.raises(ValueError, match="DINOv2 takes no local file.*extractor=custom"):
        FidelityExtractor("dinov2-vit-l-14", "dinov2", "x.pth")


def test_a_failing_download_says_what_to_do(monkeypatch):
    def offline(*_):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load", offline)
    with pytest.raises(WeightsError, match="no route to host.*extractor.weights=PATH"):
        FidelityExtractor("dinov2-vit-s-14", "dinov2", None)


@pytest.mark.parametrize(
    ("model", "layer", "weights", "message"),
    [
        ("inception-v3-compat", "2048", None, "model: expected one of vgg16, .*got 'inception-v3-compat'"),
        ("vgg19", "fc2", None, "model: expected one of"),
        ("vgg16", "2048", None, "layer: 'vgg16' offers fc2, fc2_relu, got '2048'"),
        ("vgg16", "fc2", "none.pth", "extractor.weights: expected a file"),
        ("clip-rn50", "clip", "none.pt", "extractor.weights: expected a file"),
    ],
)
def test_bad_choices_are_refused(model, layer, weights, message):
    with pytest.raises(ValueError, match=message):
        FidelityExtractor(model, layer, weights)


def test_all_families_are_torch_fidelitys():
    known = registry.FEATURE_EXTRACTORS_REGISTRY
    assert {name.split("-")[0] for name in known} == {"inception", *fidelity_extractor.FAMILIES}
    assert all(issubclass(x, feature_extractor_base.FeatureExtractorBase) for x in known.values())


def test_the_shipped_example_tells_images_apart_and_has_the_same_weights_every_time():
    grey = torch.randint(0, 256, (200, 1, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    real = grey.float().mean((2, 3), keepdim=True).expand(-1, 3, 12, 12).to(torch.uint8)  # nearly flat
    before = torch.get_rng_state()
    first, second = (custom("ganvas.extractors.RandomFeatures", size=64) for _ in range(2))
    assert first.weights_hash == second.weights_hash and torch.get_rng_state().equal(before)
    assert (first.num_features, first.num_classes) == (64, None)
    flat, noisy = extract(first, real[:100], 50).values.double(), extract(first, grey[:100], 50).values.double()
    other = extract(first, real[100:], 50).values.double()
    assert (flat.mean(0) - other.mean(0)).norm() * 10 < (flat.mean(0) - noisy.mean(0)).norm()
