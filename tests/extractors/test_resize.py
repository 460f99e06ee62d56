"""Extractors of random weights whose resizer is chosen: by each tool's steps written out, and as before without one."""

import numpy as np
import pytest
import timm
import torch
from omegaconf import OmegaConf, open_dict
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from ganvas.cli import main
from ganvas.config import ConfigError, build, compose
from ganvas.extractors.custom import CustomExtractor
from ganvas.extractors.fidelity import FidelityExtractor
from ganvas.extractors.picture import Preparation, Stretched, prepared_by
from ganvas.extractors.resize import IMAGENET, RESIZES, resize_called
from ganvas.extractors.resizers import RESIZERS
from ganvas.scoring.cache import CacheKey
from ganvas.scoring.statistics_formats import DINOV2, Edm2

SHAPES = [(2, 3, 40, 30), (1, 3, 300, 260)]
"""Smaller and larger than the input of the networks, and not square."""
MEAN, STD = (torch.tensor(numbers, dtype=torch.float64).view(3, 1, 1) for numbers in IMAGENET)


def images(shape):
    """Noise, which has overshoots for a bicubic resize."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(sum(shape)))


def keys(x):
    """Keys's kernel with a = -1/2, which PyTorch and Pillow take for the bicubic filter with antialias."""
    x = abs(x)
    return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def matrix(inputs, outputs):
    """Bicubic resize along one axis: the kernel is widened by the scale if the axis shrinks; rows sum to 1."""
    scale = inputs / outputs
    wide = max(scale, 1.0)
    rows = [[keys((j - (i + 0.5) * scale + 0.5) / wide) for j in range(inputs)] for i in range(outputs)]
    weights = torch.tensor(rows, dtype=torch.float64)
    return weights / weights.sum(1, keepdim=True)


def bicubic(x, size):
    """Resize by the formula, in floating point."""
    rows, columns = (matrix(side, size) for side in x.shape[2:])
    return rows @ x.double() @ columns.T


def edm2(x):
    """Write out what EDM2's DINOv2Detector does before the network."""
    return ((bicubic(x, 224) / 255 - MEAN) / STD).float()


def by_pillow(x, size=224):
    """Write out what dgm-eval and EDM2's resize_mode='pil' do before DINOv2: colour pictures, whole grey levels."""
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in x]
    arrays = [np.array(picture.resize((size, size), Image.Resampling.BICUBIC)) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def clean(x, size=224):
    """Write out dgm-eval's pil_resize, which --clean_resize asks for: each channel in float32, clipped."""
    channels = x.float().flatten(0, 1).numpy()
    arrays = [
        np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC)).clip(0, 255) for c in channels
    ]
    return torch.from_numpy(np.stack(arrays)).view(len(x), 3, size, size)


def prepared(u):
    """Scale grey levels as all these tools do before DINOv2."""
    return ((u.double() / 255 - MEAN) / STD).float()


TOOLS = {"edm2": edm2, "pillow": lambda x: prepared(by_pillow(x)), "clean": lambda x: prepared(clean(x))}


@pytest.mark.parametrize("shape", SHAPES)
def test_ways_to_resize_are_those_of_their_tools(shape):
    x = images(shape)
    found = {name: resize(x.float(), 224) for name, resize in RESIZES.items()}
    torch.testing.assert_close(found["edm2"], bicubic(x, 224).float(), atol=1e-2, rtol=0)
    assert torch.equal(found["pillow"], by_pillow(x).float()) and torch.equal(found["clean"], clean(x))
    assert found["edm2"].min() < 0 < 255 < found["edm2"].max()
    assert torch.equal(RESIZES["pillow"](x[:, :1].float(), 9), by_pillow(x, 9)[:, :1].float())  # one channel
    if shape[2] < 224:  # an antialias changes nothing of what is enlarged
        torch.testing.assert_close(found.pop("torchmetrics"), found["pytorch_fid"], atol=1e-2, rtol=0)
    for i, first in enumerate(found.values()):
        for second in list(found.values())[:i]:
            assert (first - second).abs().max() > 0.3
    assert len({resize.how for resize in RESIZES.values()}) == len(RESIZES)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """DINOv2's architecture, small and of random weights: the file of the model hub, and the network at 224 pixels."""
    small = {"depth": 2, "embed_dim": 24, "num_heads": 2}
    create = timm.create_model
    made = create("vit_large_patch14_dinov2", **small)
    generator = torch.Generator().manual_seed(1)
    state = {name: x + 0.2 * torch.randn(x.shape, generator=generator) for name, x in made.state_dict().items()}
    path = tmp_path_factory.mktemp("dinov2") / "model.safetensors"
    save_file(state, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm, "create_model", lambda model, **options: create(model, **{**options, **small}))
        yield path, build(node("dinov2_large", weights=str(path))).network


def node(word, **changes):
    return OmegaConf.merge(compose("score", [f"extractor={word}"]).extractor, changes)


@pytest.mark.parametrize("word", ["dinov2", "dinov2_large"])
def test_features_are_those_of_each_tool_and_of_no_other(word, network, monkeypatch):
    path, net = network
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: net)
    given = {"weights": str(path)} if word == "dinov2_large" else {}
    ours = {name: build(node(word, resizer=name, **given)) for name in RESIZES}
    x = images((2, 3, 40, 30))
    found = {name: extractor(x)[0] for name, extractor in ours.items()}
    for name, steps in TOOLS.items():
        with torch.inference_mode():
            theirs = net(steps(x))
        away = {other: float((values - theirs).abs().max() / theirs.abs().max()) for other, values in found.items()}
        assert away.pop(name) < 1e-4 and min(away.values()) > 1e-3, (name, away)
    assert {extractor.weights_hash for extractor in ours.values()} == {ours["edm2"].weights_hash}
    digests = {CacheKey.of(e, images="ab" * 32, n=2, split="all").digest() for e in ours.values()}
    assert len(digests) == len(RESIZES)


def test_statistics_of_edm2_are_of_its_resizer(network, monkeypatch):
    """The description in a file of EDM2 is that of the extractor whose features are EDM2's, and of no other."""
    path, net = network
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: net)
    given = {"dinov2": {}, "dinov2_large": {"weights": str(path)}}
    made = [(name, build(node(word, resizer=name, **given[word]))) for word in given for name in RESIZES]
    fit = [(e.name, name) for name, e in made if Edm2().preprocessing[e.name] == e.preprocessing]
    assert fit == [(word, "edm2") for word in DINOV2] and len(fit) == 2


IN_PIXELS = "bilinear to 224x224 on TensorFlow 1's grid (no antialias, corners not aligned)"
COLOURS = "(u / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]"
BEFORE = {
    "dinov2": f"dinov2-vit-l-14 dinov2; grey replicated to RGB; {IN_PIXELS}; the network's own mean and deviation",
    "vgg16": f"vgg16 fc2_relu; grey replicated to RGB; {IN_PIXELS}; the network's own mean and deviation",
    "dinov2_large": "vit_large_patch14_dinov2.lvd142m token; grey replicated to RGB; Pillow's bicubic to 224x224; "
    + COLOURS,
    "random": "grey replicated to RGB; bilinear to 64x64 on TensorFlow 1's grid (no antialias, corners not aligned); "
    "(u / 255 - [0.5, 0.5, 0.5]) / [0.5, 0.5, 0.5]; ganvas.extractors.RandomFeatures",
}
"""What protocols said before resizers could be chosen; a letter more would move the fingerprints of kept scores."""


def small_vgg():
    """A network of the three mean colours with VGG16's seven layers of a classifier, three of which are cut off."""
    model = nn.Sequential()
    model.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.classifier = nn.Sequential(nn.Linear(3, 2), *(nn.Identity() for _ in range(6)))
    return model


@pytest.mark.parametrize("word", BEFORE)
def test_without_a_choice_protocols_are_as_before_there_was_one(word, network, monkeypatch, tmp_path):
    path, net = network
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: net)
    monkeypatch.setattr("torchvision.models.vgg16", small_vgg)
    torch.save(small_vgg().state_dict(), tmp_path / "vgg.pth")
    weights = {"dinov2_large": {"weights": str(path)}, "vgg16": {"weights": str(tmp_path / "vgg.pth")}}.get(word, {})
    shipped, recorded = node(word, **weights), node(word, **weights)
    with open_dict(recorded):
        del recorded["resizer"]  # a config of an older version
    for one in (shipped, recorded):
        assert build(one).preprocessing == BEFORE[word]
    values = [build(one)(images((2, 3, 40, 30)))[0] for one in (shipped, recorded)]
    assert torch.equal(*values)
    if word in ("dinov2", "vgg16"):
        theirs = build(shipped).model(images((2, 3, 40, 30)))[0]  # torch-fidelity's own steps
        assert torch.equal(values[0], theirs)


def test_the_steps_of_the_authors_are_kept_and_any_other_way_stretches():
    own = Preparation(256, 224, False, "bilinear", *IMAGENET)
    assert prepared_by("pillow", own) is own
    assert own.describe() == f"grey replicated to RGB; Pillow's bilinear to shorter side 256; middle 224x224; {COLOURS}"
    stretched = prepared_by("clean", own)
    assert stretched == Stretched(RESIZES["clean"], 224, *IMAGENET)
    x = images((2, 3, 40, 30))
    torch.testing.assert_close(stretched(x), prepared(clean(x)), atol=1e-5, rtol=0)
    assert stretched.describe() == (
        f"grey replicated to RGB; Pillow's bicubic to 224x224 with antialias in float32, in [0, 255]; {COLOURS}"
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_own_network_takes_every_way(channels):
    x = images((2, channels, 10, 12))
    given = ("own", f"{__name__}.Flat", 6, channels, [0.5] * channels, [0.25] * channels)
    for name, resize in RESIZES.items():
        extractor = CustomExtractor(*given, name)
        expected = (resize(x.float(), 6) / 255 - 0.5) / 0.25
        torch.testing.assert_close(extractor(x)[0], expected.flatten(1))
        kind, arguments = extractor.__reduce__()
        assert torch.equal(kind(*arguments)(x)[0], extractor(x)[0])
        assert resize.how.format(6) in extractor.preprocessing


class Flat(nn.Module):
    """Its features are the prepared pixels."""

    def forward(self, x):
        return x.flatten(1)


def test_a_way_that_no_tool_has_is_refused_by_name(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match="extractor.resizer=lanczos: expected one of tensorflow, .*edm2, pillow"):
        resize_called("lanczos")
    with pytest.raises(ConfigError, match="extractor.resizer=lanczos"):
        build(node("random", resizer="lanczos"))
    with pytest.raises(ValueError, match="extractor.resizer=lanczos"):
        FidelityExtractor("vgg16", "fc2", None, "lanczos")
    assert "edm2" not in RESIZERS and "pillow" not in RESIZERS  # EDM2's Inception is on TensorFlow's grid
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", images=np.zeros((2, 28, 28), np.uint8))
    for word in ("mnist", "cifar10"):
        assert main(["score", "a.npz", "reference=a.npz", f"extractor={word}", "extractor.resizer=clean"]) == 2
        said = capsys.readouterr().err
        assert "extractor.resizer is not a key" in said and f"extractor={word}" in said and "resize none" in said
