"""Configs of strangers: exactly the parts of ganvas may be named, and the text cannot fill memory or time."""

import json
import time
from itertools import cycle

import pytest
import yaml
from omegaconf import OmegaConf

from ganvas.config import ConfigError, compose, names_beyond_ganvas, recorded_config
from ganvas.config.trust import DEEPEST, LONGEST

from ..strangers import ATTACKS, nodes


@pytest.fixture(scope="module")
def written():
    """What ganvas writes for a WGAN-GP, as a tree."""
    cfg = compose("train", ["model=wgan_gp", "schedule=exponential", "paths.output=out"])
    return OmegaConf.to_container(cfg, resolve=True)


def read(tree, *trust):
    return recorded_config(json.dumps(tree), "shared.ckpt", trust)


def refused(target, **others):
    with pytest.raises(ConfigError) as caught:
        read({"a": {"b": [{"_target_": target, **others}]}})
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        "ganvas.ui.main",
        "ganvas.cli.main",
        "ganvas.commands.ui.main",
        "ganvas.train",
        "ganvas.load",
        "ganvas.config.build",
        "ganvas.data.DataError",
        "ganvas.data.import_module",
        "ganvas.data._PLACES",
        "ganvas.data.Mnist5k.load",
        "ganvas.data.nope",
        "ganvas.extractors.extract",
        "ganvas.extractors.modules.load_module",
        "ganvas.objectives.log_weights",
        "ganvas.latents.latent_activity",
        "ganvas.models.base.torch.load",
        "ganvas.networks.mlp.layers",
        "ganvas.networks.mlp.nn.Module",
        "ganvas.networks.mlp.Tensor",
        "ganvas.networks.init.Callable",
        "ganvas.networks.init.initialise",
        "ganvas.networks.init.torch.load",
        "torch.optim.lr_scheduler.LambdaLR",
        "torch.optim.Adam.step",
        "torch.nn.init.calculate_gain",
        "torch.nn.init._no_grad_fill_",
        "torch.nn.Linear",
        "torch.load",
        "builtins.eval",
        "eval",
        "",
        " ganvas.objectives.Hinge",
        "ganvas..objectives.Hinge",
        ".",
    ],
)
def test_what_is_no_part_is_refused_by_name(target):
    said = refused(target)
    assert said.startswith(f"shared.ckpt: a.b.0._target_ names {target!r}, which is not a part of ganvas")


@pytest.mark.parametrize("target", [None, 3, ["torch.load"], {"_target_": "ganvas.objectives.Hinge"}])
def test_a_target_is_a_name(target):
    assert "_target_" in refused(target)


@pytest.mark.parametrize(
    "target",
    [
        "ganvas.objectives.Hinge",
        "ganvas.objectives.R2",
        "ganvas.networks.Packed",
        "ganvas.networks.dcgan.Generator",
        "ganvas.data.ring",
        "ganvas.data.Cifar10",
        "ganvas.latents.GaussianMixture",
        "ganvas.models.WarmUp",
        "ganvas.extractors.MnistExtractor",
        "ganvas.extractors.Cifar10Extractor",
    ],
)
def test_parts_are_read(target):
    assert read({"a": {"_target_": target}}).a._target_ == target
    assert "a.b.0._partial_ is an instruction for Hydra" in refused(target, _partial_=True)


@pytest.mark.parametrize(
    "target", ["torch.optim.Adam", "torch.optim.AdamW", "torch.nn.init.orthogonal_", "ganvas.networks.init.normal_"]
)
def test_optimisers_and_initialisers_may_be_partial(target):
    assert read({"a": {"_target_": target, "_partial_": True}}).a._target_ == target
    for instruction in ("_args_", "_recursive_", "_convert_", "_anything_"):
        assert f"a.b.0.{instruction} is an instruction" in refused(target, **{instruction: []})


def refused_wherever(attacks, written):
    """Put an attack, each in its turn, into every place of a config, and assert that the config is refused."""
    places = list(_places(written))
    for (holder, key), attack in zip(places, cycle(attacks), strict=False):
        node, holder[key] = holder[key], attack
        with pytest.raises(ConfigError, match="shared.ckpt: "):
            read(written)
        holder[key] = node
    assert len(places) > 40 and read(written)


def test_attacks_are_refused_wherever_they_stand(written, tmp_path):
    attacks = nodes(tmp_path)
    refused_wherever([attacks[name][1] for name in ("numpy", "nested", "environment", "script")], written)


@pytest.mark.slow  # every attack in every place
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_wherever_it_stands(name, written, tmp_path):
    refused_wherever([nodes(tmp_path)[name][1]], written)


def _places(node):
    """Yield every mapping and list of a tree, and one value of each."""
    for key, child in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(child, (dict, list)):
            yield node, key
            yield from _places(child)
    if len(node):
        yield node, next(iter(node)) if isinstance(node, dict) else 0


def test_trust_is_of_a_package_a_target_or_a_file(tmp_path, monkeypatch):
    own = {"a": {"_target_": "own.nets.Net", "_args_": [1], "b": {"_target_": "own.other"}}}
    assert read(own, "own") == own and read(own, "own.nets", "own.other") == own
    for trust in ([], ["ow"], ["own.net"], ["own.nets"], ["nets"], [""], ["."], ["*"]):
        with pytest.raises(ConfigError, match=r"names 'own.(nets.Net|other)'.*trust=\[own\] or set GANVAS_TRUST=own"):
            read(own, *trust)
    monkeypatch.setenv("GANVAS_TRUST", "this,own")
    assert read(own) == own
    within = {"a": {"_target_": "own.Net", "b": {"_target_": "torch.load"}}}
    with pytest.raises(ConfigError, match=r"a.b._target_ names 'torch.load'.*trust=\[torch.load\]"):
        read(within)


@pytest.mark.parametrize(("module", "trust"), [("own.Net", "own"), ("nets/a.pt", "nets/a.pt"), ("x.onnx", "x.onnx")])
def test_a_module_of_an_extractor_is_code(module, trust):
    node = {"extractor": {"_target_": "ganvas.extractors.CustomExtractor", "module": module}}
    assert read(node, trust) == node
    said = rf"extractor.module names '{module}', and loading it may run its code.*trust=\[{trust}\]"
    for others in ([], ["x"], ["nets"], ["nets/a"]):
        with pytest.raises(ConfigError, match=said):
            read(node, *others)
    node["extractor"]["module"] = {"_target_": "ganvas.objectives.Hinge"}
    with pytest.raises(ConfigError, match="extractor.module names"):
        read(node, trust)


def test_weights_of_clip_are_code_and_those_of_vgg_are_not():
    def node(model):
        return {"e": {"_target_": "ganvas.extractors.FidelityExtractor", "model": model, "weights": "w.pt"}}

    assert read(node("vgg16")) == node("vgg16") and read(node("clip-vit-b-32"), "w.pt") == node("clip-vit-b-32")
    with pytest.raises(ConfigError, match="e.weights names 'w.pt'"):
        read(node("clip-vit-b-32"))


def test_what_the_user_typed_beyond_ganvas_is_found():
    typed = {
        "a": {"_target_": "own.Net", "b": [{"_target_": "ganvas.objectives.Hinge"}, {"_target_": "own.Net"}]},
        "e": {"_target_": "ganvas.extractors.CustomExtractor", "module": "net.pt"},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
    }
    assert names_beyond_ganvas(OmegaConf.create(typed)) == ["own.Net", "net.pt"]
    assert read(typed, *names_beyond_ganvas(OmegaConf.create(typed))) == typed


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "line 1 of its config has an anchor"),
        ("a: &x {b: 1}\n", "anchor"),
        ("a: {b: *x}\n", "anchor"),
        ("a: !!python/object/apply:os.mkdir [ran]\n", "a tag"),
        ("a: !!python/object/apply:pathlib.Path [x]\n", "a tag"),
        ("a: !!binary aGk=\n", "a tag"),
        ("a: " + "[" * 5000, f"more than {DEEPEST} levels deep"),
        ("a: " + "{b: " * 5000, f"more than {DEEPEST} levels deep"),
        ("\n".join(" " * i + "a:" for i in range(300)), f"more than {DEEPEST} levels deep"),
        ("a: " + "x" * LONGEST, "expected at most 100,000"),
        ("a: " + "9" * 5000, "cannot be read as YAML"),
        ("a: 1" + ":59" * 300 + ".5", "cannot be read as YAML"),
        ("a: [", "cannot be read as YAML"),
        ("a: \x00", "cannot be read as YAML"),
        ("a: 2020-99-99", "cannot be read as YAML"),
        ("? [a]\n: 1\n", "cannot be read as YAML"),
        ("- 1\n", "is a list, expected a mapping"),
        ("", "is a NoneType, expected a mapping"),
        (None, "is a NoneType, expected text"),
        ({"a": 1}, "is a dict, expected text"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_text_that_ganvas_did_not_write_is_refused_at_once(text, said):
    start = time.monotonic()
    with pytest.raises(ConfigError, match="shared.ckpt: ") as caught:
        recorded_config(text, "shared.ckpt", ())
    assert said in str(caught.value) and "\n" not in str(caught.value) and time.monotonic() - start < 2


def test_a_long_flat_text_takes_no_time():
    text = "\n".join(f"key{i}: [1, 2]" for i in range(5000))
    start = time.monotonic()
    assert len(recorded_config(text, "x", ())) == 5000 and time.monotonic() - start < 20


def test_a_stranger_cannot_write_to_the_terminal():
    with pytest.raises(ConfigError) as caught:
        recorded_config(yaml.safe_dump({"a\x1b[2J\n": {"_target_": "\x1b[31mtorch.load\n"}}), "x", ())
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value) and "trust=[" not in str(caught.value)
