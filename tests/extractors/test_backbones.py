"""Backbones without labels, of random weights: their features, their preparation of images, and what is refused.

The published weights are not here. A file in their layout is written from a small network of the same family.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from ganvas.cli import main
from ganvas.config import ConfigError, build, compose
from ganvas.extractors.picture import Preparation
from ganvas.extractors.timm_backbone import TimmExtractor, shifted_positions

CONF = Path(__file__).parents[2] / "conf" / "extractor"
WORDS = sorted(path.stem for path in CONF.glob("*.yaml") if "TimmExtractor" in path.read_text())
SMALL = {
    "vit": {"depth": 2, "embed_dim": 24, "num_heads": 2},
    "convnext": {"depths": (1, 1, 1, 1), "dims": (4, 8, 12, 16)},
    "swin": {"depths": (1, 1, 1, 1), "embed_dim": 8, "num_heads": (1, 1, 2, 2)},
    "resnet18": {"layers": (1, 1, 1, 1), "channels": (4, 4, 8, 8), "stem_width": 8},
    "beit": {"depth": 2, "embed_dim": 24, "num_heads": 2},
}
create = timm.create_model


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Networks of the same families with few weights: MAE's has 300 million."""
    made = lambda model, **options: create(model, **{**options, **SMALL[re.split(r"[_.]", model)[0]]})  # noqa: E731
    monkeypatch.setattr(timm, "create_model", made)


def node(word, **changes):
    return OmegaConf.merge(compose("score", [f"extractor={word}"]).extractor, changes)


def random_state(network):
    """Weights of ordinary size: some of timm's initial ones are 0 or 1e-6, which would hide a mistake."""
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, x in network.state_dict().items():
        state[name] = x + 0.2 * torch.randn(x.shape, generator=generator) if x.is_floating_point() else x
        if name.endswith("running_var"):
            state[name] = state[name].abs() + 0.5
    return state


def images(h=40, w=30):
    return torch.randint(0, 256, (2, 3, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def by_hand(image, resize, size, stretch, filter_, mean, std):
    """The preparation of one picture, by Pillow and NumPy alone."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    w, h = picture.size
    sides = (resize, resize) if stretch else (resize, resize * h // w) if w <= h else (resize * w // h, resize)
    picture = picture.resize(sides, filter_)
    left, top = round((sides[0] - size) / 2), round((sides[1] - size) / 2)
    array = np.asarray(picture.crop((left, top, left + size, top + size)), dtype=np.float64)
    return torch.from_numpy(((array / 255 - np.array(mean)) / np.array(std)).transpose(2, 0, 1)).float()


@pytest.mark.parametrize(
    ("shape", "resize", "size", "stretch", "name"),
    [
        ((40, 30), 24, 24, True, "bicubic"),
        ((40, 30), 32, 24, False, "bicubic"),
        ((31, 50), 32, 24, False, "bilinear"),
        ((10, 12), 24, 24, False, "bicubic"),
    ],
)
def test_images_are_prepared_as_pillow_does(shape, resize, size, stretch, name):
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    filter_ = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[name]
    found = Preparation(resize, size, stretch, name, mean, std)(images(*shape))
    hand = torch.stack([by_hand(image, resize, size, stretch, filter_, mean, std) for image in images(*shape)])
    torch.testing.assert_close(found, hand, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("resize", "size", "name"), [(20, 24, "bicubic"), (0, 0, "bicubic"), (24, 24, "nearest")])
def test_impossible_preparations_are_refused(resize, size, name):
    with pytest.raises(ValueError, match="expected"):
        Preparation(resize, size, True, name, (0.5,) * 3, (0.5,) * 3)


def cubic(inputs, outputs, scale):
    """Matrix of bicubic interpolation along one axis (Keys 1981, a = -0.75), borders repeated."""

    def kernel(x):
        x = abs(x)
        near, far = 1.25 * x**3 - 2.25 * x**2 + 1, -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
        return near if x <= 1 else far if x < 2 else 0.0

    matrix = torch.zeros(outputs, inputs, dtype=torch.float64)
    for i in range(outputs):
        place = (i + 0.5) / scale - 0.5
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            matrix[i, min(max(j, 0), inputs - 1)] += kernel(place - j)
    return matrix


def test_position_embeddings_are_interpolated_at_dinov2s_scale():
    positions = torch.randn(1, 1 + 37**2, 5, generator=torch.Generator().manual_seed(0))
    matrix = cubic(37, 16, 16.1 / 37)
    places = torch.einsum("ai,bj,ijd->abd", matrix, matrix, positions[0, 1:].double().unflatten(0, (37, 37)))
    found = shifted_positions(positions, 16, 0.1)
    torch.testing.assert_close(found[0, 1:].double(), places.flatten(0, 1), atol=1e-4, rtol=0)
    assert torch.equal(found[:, :1], positions[:, :1])
    assert shifted_positions(positions, 37, 0.1) is positions


def expected(word, config, state, x):
    """The features by timm's own network at the size of the input, and by the formula of the pooling."""
    network = create(config.model, **SMALL[config.model.split("_")[0]])  # at its own size, as the file is
    network.load_state_dict(state)
    network.eval()
    if word.startswith("dinov2"):
        network.set_input_size(img_size=config.size)
        if config.position_offset is not None:
            network.pos_embed.data = shifted_positions(state["pos_embed"], config.size // 14, config.position_offset)
    h = network.forward_features(x)
    if config.pooling == "token":
        return h[:, 0]
    return network.head.norm(h.mean((2, 3), keepdim=True)).flatten(1) if word == "convnext" else h.mean((1, 2))


@pytest.mark.parametrize("word", WORDS)
def test_features_are_those_of_timm_on_the_same_weights(word, tmp_path):
    config = node(word)
    network = create(config.model, **SMALL[config.model.split("_")[0]])
    state, path = random_state(network), tmp_path / "model.safetensors"
    save_file(state, path)
    before = torch.get_rng_state()
    extractor = build(node(word, weights=str(path)))
    assert torch.equal(before, torch.get_rng_state())
    assert extractor.name == word and not extractor.network.training
    assert not any(weight.requires_grad for weight in extractor.parameters())
    recorded = timm.get_pretrained_cfg(config.model)
    steps = (config.resize, config.size, config.stretch, Image.Resampling.BICUBIC, recorded.mean, recorded.std)
    x = torch.stack([by_hand(image, *steps) for image in images()])
    with torch.inference_mode():
        hand = expected(word, config, state, x)
    found, logits = extractor(images())
    assert logits is None and found.shape == (2, extractor.num_features) and hand.std() > 0.01
    torch.testing.assert_close(found, hand, atol=2e-4, rtol=1e-4)
    grey, _ = extractor(images()[:, :1])
    assert not torch.allclose(grey, found, atol=1e-3)


def test_the_authors_own_file_of_dinov2_is_read_too(tmp_path):
    """Its names differ: a mask token, and register tokens behind position embeddings of a class token."""
    word = "dinov2_small_registers"
    network = create(node(word).model, **SMALL["vit"])
    state = random_state(network)
    save_file(state, tmp_path / "hub.safetensors")
    first = torch.full((1, 1, 24), 0.3)
    own = {
        **{key: x for key, x in state.items() if key not in ("reg_token", "cls_token", "pos_embed")},
        "register_tokens": state["reg_token"],
        "mask_token": torch.zeros(1, 24),
        "cls_token": state["cls_token"] - first,
        "pos_embed": torch.cat([first, state["pos_embed"]], dim=1),
    }
    torch.save(own, tmp_path / "own.pth")
    hub, authors = (build(node(word, weights=str(tmp_path / name))) for name in ("hub.safetensors", "own.pth"))
    torch.testing.assert_close(authors(images())[0], hub(images())[0], atol=1e-5, rtol=1e-5)


def test_weights_are_loaded_strictly_and_identified(tmp_path):
    state = random_state(create(node("mae").model, **SMALL["vit"]))

    def extractor(name, tensors):
        save_file(tensors, tmp_path / name)
        return build(node("mae", weights=str(tmp_path / name)))

    first = extractor("a.safetensors", state)
    other = extractor("b.safetensors", {**state, "norm.bias": state["norm.bias"] + 1})
    assert first.weights_hash != other.weights_hash and len(first.weights_hash) == 64
    for change in ({"blocks.9.norm1.bias": torch.zeros(24)}, {"norm.bias": torch.zeros(23)}):
        with pytest.raises(ConfigError, match="does not hold the weights of vit_large_patch16_224.mae"):
            extractor("c.safetensors", {**state, **change})
    del state["norm.bias"]
    with pytest.raises(ConfigError, match="norm.bias"):
        extractor("c.safetensors", state)


def test_an_unknown_model_is_refused():
    for model in ("vit_small_patch14_dinov2.nowhere", "no_such_network"):
        with pytest.raises(ConfigError, match="has no such weights"):
            build(node("dinov2_small", model=model))
    with pytest.raises(ConfigError, match="does not take them"):
        build(node("dinov2_small", pooling="sum"))


def test_a_family_without_a_conversion_is_read_as_it_is(tmp_path):
    network = create("resnet18.a1_in1k", **SMALL["resnet18"])
    state, path = random_state(network), tmp_path / "model.safetensors"
    save_file(state, path)
    own = {"name": "resnet-18", "model": "resnet18.a1_in1k", "size": 64, "resize": 64, "weights": str(path)}
    extractor = build(node("convnext", **own))
    network.load_state_dict(state)
    with torch.inference_mode():
        hand = network.eval().forward_features(extractor.preparation(images())).mean((2, 3))
    torch.testing.assert_close(extractor(images())[0], hand, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["inception", "dinov2", "Mae", "a/b", ""])
def test_a_name_of_another_extractor_is_refused(name):
    for word in ("mae", "data2vec", "swav"):
        with pytest.raises(ConfigError, match="extractor.name="):
            build(node(word, name=name))


@pytest.mark.parametrize("word", ["mae", "data2vec"])
def test_without_timm_one_line_names_the_extra(word, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", images=images(8, 8).permute(0, 2, 3, 1).numpy())
    monkeypatch.setitem(sys.modules, "timm", None)
    assert main(["score", "a.npz", "reference=a.npz", f"extractor={word}", "paths.output=out"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and f"extractor={word} needs timm" in said[0] and ".[extractors]" in said[0]


def attention(x, query, key, value, table, heads):
    """Softmax attention with a bias for each pair of places, by their distance; the last three are of the class."""
    n, d = x.shape[1], x.shape[2] // heads
    q, k, v = (nn.functional.linear(x, *pair).unflatten(2, (heads, d)).transpose(1, 2) for pair in (query, key, value))
    side = int((n - 1) ** 0.5)
    bias = torch.empty(heads, n, n)
    for i in range(n):
        for j in range(n):
            if i and j:
                rows, columns = (i - 1) // side - (j - 1) // side, (i - 1) % side - (j - 1) % side
                row = (rows + side - 1) * (2 * side - 1) + columns + side - 1
            else:
                row = len(table) - (1 if i == j else 3 if not i else 2)
            bias[:, i, j] = table[row]
    return ((q @ k.transpose(2, 3) / d**0.5 + bias).softmax(-1) @ v).transpose(1, 2).flatten(2)


def hub_file(generator, d=24, side=14, layers=2, heads=2):
    """A file of data2vec in the hub's layout, of random weights."""

    def tensor(*shape):
        return 0.3 * torch.randn(*shape, generator=generator)

    def pair(name, *shape):
        return {f"{name}.weight": tensor(*shape), f"{name}.bias": tensor(shape[0])}

    state = {
        "embeddings.cls_token": tensor(1, 1, d),
        "embeddings.mask_token": tensor(1, 1, d),
        **pair("embeddings.patch_embeddings.projection", d, 3, 16, 16),
        "encoder.relative_position_bias.relative_position_bias_table": tensor((2 * side - 1) ** 2 + 3, heads),
        "encoder.relative_position_bias.relative_position_index": torch.zeros(1 + side**2, 1 + side**2).long(),
        **pair("layernorm", d),
    }
    for i in range(layers):
        layer = f"encoder.layer.{i}"
        state |= {f"{layer}.lambda_{j}": tensor(d) for j in (1, 2)}
        state |= pair(f"{layer}.layernorm_before", d) | pair(f"{layer}.layernorm_after", d)
        for part in ("query", "key", "value"):
            state |= pair(f"{layer}.attention.attention.{part}", d, d)
        del state[f"{layer}.attention.attention.key.bias"]
        state |= pair(f"{layer}.attention.output.dense", d, d)
        state |= pair(f"{layer}.intermediate.dense", 4 * d, d) | pair(f"{layer}.output.dense", d, 4 * d)
    return state


def data2vec_by_hand(state, x, layers=2, heads=2):
    get = lambda name: (state[f"{name}.weight"], state.get(f"{name}.bias"))  # noqa: E731
    norm = lambda h, name: nn.functional.layer_norm(h, h.shape[2:], *get(name), eps=1e-12)  # noqa: E731
    table = state["encoder.relative_position_bias.relative_position_bias_table"]
    h = nn.functional.conv2d(x, *get("embeddings.patch_embeddings.projection"), stride=16).flatten(2).transpose(1, 2)
    h = torch.cat([state["embeddings.cls_token"].expand(len(h), -1, -1), h], dim=1)
    for i in range(layers):
        layer, a = f"encoder.layer.{i}", f"encoder.layer.{i}.attention.attention"
        parts = [get(f"{a}.{part}") for part in ("query", "key", "value")]
        seen = attention(norm(h, f"{layer}.layernorm_before"), *parts, table, heads)
        h = h + state[f"{layer}.lambda_1"] * nn.functional.linear(seen, *get(f"{layer}.attention.output.dense"))
        inner = nn.functional.linear(norm(h, f"{layer}.layernorm_after"), *get(f"{layer}.intermediate.dense"))
        outer = nn.functional.linear(nn.functional.gelu(inner), *get(f"{layer}.output.dense"))
        h = h + state[f"{layer}.lambda_2"] * outer
    return norm(h, "layernorm")[:, 0]


def test_data2vec_is_the_formula_of_its_network_on_a_file_of_the_hub(tmp_path):
    state, path = hub_file(torch.Generator().manual_seed(3)), tmp_path / "pytorch_model.bin"
    torch.save(state, path)
    extractor = build(node("data2vec", weights=str(path)))
    half = (0.5, 0.5, 0.5)
    x = torch.stack([by_hand(image, 224, 224, True, Image.Resampling.BICUBIC, half, half) for image in images()])
    found, logits = extractor(images())
    assert logits is None and extractor.name == "data2vec" and extractor.num_features == 24
    torch.testing.assert_close(found, data2vec_by_hand(state, x), atol=2e-4, rtol=1e-4)
    torch.save({**state, "pooler.layernorm.bias": torch.zeros(24)}, path)
    with pytest.raises(ConfigError, match="does not hold the weights of data2vec-vision-large"):
        build(node("data2vec", weights=str(path)))
    with pytest.raises(ConfigError, match="expected one of data2vec-vision-base"):
        build(node("data2vec", model="data2vec"))


@pytest.fixture
def shallow(monkeypatch):
    """A residual network with torchvision's names, of four blocks."""
    block = torchvision.models.resnet.Bottleneck
    monkeypatch.setattr(torchvision.models, "resnet50", lambda weights: torchvision.models.ResNet(block, [1, 1, 1, 1]))
    return torchvision.models.resnet50(None)


def stages(network, x):
    x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
    return network.layer4(network.layer3(network.layer2(network.layer1(x)))).mean((2, 3))


def swav(state):
    training = {"projection_head.0.weight": torch.ones(1), "prototypes.weight": torch.ones(1)}
    return {f"module.{key}": x for key, x in {**state, **training}.items()}


def simclr(state):
    trunk = {f"_feature_blocks.{key}": x for key, x in state.items()}
    return {"classy_state_dict": {"base_model": {"model": {"trunk": trunk, "heads": {}}}}, "phase": 999}


@pytest.mark.parametrize("published", [swav, simclr])
def test_a_resnet_is_read_from_its_published_layout(published, shallow, tmp_path):
    word, path = published.__name__, tmp_path / "net.pth"
    state = {key: x for key, x in random_state(shallow).items() if not key.startswith("fc.")}
    torch.save(published(state), path)
    extractor = build(node(word, weights=str(path)))
    shallow.load_state_dict(state, strict=False)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = torch.stack([by_hand(image, 224, 224, False, Image.Resampling.BILINEAR, mean, std) for image in images()])
    with torch.inference_mode():
        hand = stages(shallow.eval().double(), x.double())
    found, logits = extractor(images())
    assert logits is None and (extractor.name, found.shape) == (word, (2, 2048))
    # Small features are sums of large terms, so that float32 is exact to a share of the largest feature only.
    assert (found - hand).abs().max() < 1e-4 * hand.abs().max()
    torch.save(state, path)
    assert build(node(word, weights=str(path))).weights_hash == extractor.weights_hash
    for broken in ({**state, "layer5.bias": torch.ones(1)}, {k: x for k, x in state.items() if k != "bn1.bias"}, {}):
        torch.save(published(broken), path)
        with pytest.raises(ConfigError, match=f"does not hold the weights of {word}'s ResNet-50"):
            build(node(word, weights=str(path)))


def test_each_word_is_the_name_of_its_scores():
    for word in (*WORDS, "data2vec", "swav", "simclr"):
        assert node(word).name == word
    assert len(WORDS) == 12 and issubclass(TimmExtractor, nn.Module)
