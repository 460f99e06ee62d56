"""Every shipped config composes, its parts are built, and no leaf of an experiment is dead."""

from __future__ import annotations

import importlib
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError, build, check, choices, recorded_config
from ganvas.models import Model
from ganvas.run.naming import flat

CONF = Path(__file__).parents[1] / "conf"
OPTIONS = {
    group.name: sorted(f.stem for f in group.glob("*.yaml") if not f.stem.startswith("_"))
    for group in sorted(CONF.iterdir())
    if group.is_dir() and any(group.glob("*.yaml"))
}
# What cannot be built here: no such file, or weights to download.
UNBUILT = {("data", name) for name in ("dsprites", "folder", "npz", "shapes3d")} | {
    ("extractor", name) for name in OPTIONS["extractor"] if name not in ("cifar10", "mnist", "none", "random")
}
# What an option cannot stand without.
EXTRA = {
    **{("data", name): ["data.path=nowhere"] for name in ("dsprites", "folder", "shapes3d")},
    ("data", "npz"): ["data.path=nowhere", "data.shape=[1,28,28]"],
    ("extractor", "custom"): [
        f"extractor.{leaf}" for leaf in ("module=net.pt", "size=28", "channels=1", "mean=[0.5]", "std=[0.5]")
    ],
    ("network", "aevb"): ["model=vae"],
    ("network", "conv"): ["model=vae"],
    ("network", "examples"): ["model=vae"],
    ("network", "iwae"): ["model=vae"],
    ("network", "pythae_cifar"): ["model=vae"],
    ("network", "pythae_mnist"): ["model=vae"],
    ("network", "resnet_vae"): ["model=vae"],
    ("network", "resnet"): ["data=cifar10", "classes=10"],
    ("network", "dirac"): ["data=ring"],
    ("network", "vq"): ["model=vq_vae"],
    ("network", "ladder"): ["model=ladder_vae"],
    ("network", "bottom_up"): ["model=hierarchical_vae"],
    ("network", "vdvae"): ["model=vdvae"],
    ("model", "ladder_vae"): ["network=ladder"],  # for points, whose data sets take network=mlp
    ("model", "hierarchical_vae"): ["network=bottom_up"],
    ("posterior", "gumbel"): ["prior=joint"],
    ("objective", "joint_capacity"): ["prior=joint"],
    ("auxiliary", "classifier"): ["classes=10"],
    ("auxiliary", "mutual_information"): ["prior=codes"],
    **{("network", name): ["classes=10"] for name in ("biggan", "cgan", "dcgan", "mlp", "r3gan", "sagan")},
    **{("network", name): ["classes=10"] for name in ("sngan_resnet", "stylegan2")},
    **{("model", name): ["classes=10"] for name in ("acgan", "cgan", "cvae", "cwgan_gp", "m2", "projection_gan")},
}
# One config holds an option of each group whose options do not meet. An option that needs another stands alone.
APART = [g for g in OPTIONS if g not in ("data", "debug", "experiment", "init", "model", "network", "sweep")]
FREE = [[(group, option) for option in OPTIONS[group] if (group, option) not in EXTRA] for group in APART]
ROWS = [[pair for pair in row if pair] for row in zip_longest(*FREE)]
ROWS += [[(group, option)] for group, option in EXTRA if group in APART]
ROWS += [[(group, option)] for group in ("data", "debug", "network", "sweep") for option in OPTIONS[group]]
SHOWN = ("demo_gan", "demo_wgan_gp", "demo_vae", "article_gan")
"""Presets of the README and of the article. The slow suite composes the others, here and leaf by leaf."""


def compose_(*overrides):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return compose("train", [*overrides, "paths.output=out"])


def leaves(node, prefix=""):
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def composed(pairs):
    """Compose options, and assert that the config is complete and that a run's record of it is read back as it was."""
    extra = [override for pair in pairs for override in EXTRA.get(pair, [])]
    cfg = compose_(*(f"{group}={option}" for group, option in pairs), *extra)
    check(cfg)
    tree = OmegaConf.to_container(cfg, resolve=True)
    recorded = recorded_config(OmegaConf.to_yaml(cfg, resolve=True), "last.ckpt", ["net.pt"])
    assert tree and OmegaConf.to_container(recorded) == tree
    return cfg


@pytest.mark.parametrize("pairs", ROWS, ids=lambda pairs: " ".join("=".join(pair) for pair in pairs))
def test_every_option_composes_resolves_and_is_built(pairs):
    cfg = composed(pairs)
    for group, option in pairs:
        if (group, option) not in UNBUILT and group not in ("data", "sweep", "debug"):
            build(cfg[group])


@pytest.mark.parametrize(
    "experiment", [e if e in SHOWN else pytest.param(e, marks=pytest.mark.slow) for e in OPTIONS["experiment"]]
)
def test_every_experiment_composes_and_resolves(experiment):
    composed([("experiment", experiment)])


def assert_built(cfg):
    built = build(cfg.model)
    assert isinstance(built, Model)
    assert built.shape == tuple(cfg.data.shape)
    assert built.sample(3, seed=0).shape == (3, *cfg.data.shape)


@pytest.mark.parametrize("model", OPTIONS["model"])
def test_every_model_composes_resolves_and_is_built_on_images(model):
    assert_built(composed([("model", model)]))


GRIDLESS = ("vq_vae", "code_prior", "vqgan", "vdvae")
"""Points have no grid."""


@pytest.mark.parametrize("model", [model for model in OPTIONS["model"] if model not in GRIDLESS])
def test_every_model_is_built_on_points(model):
    assert_built(compose_(f"model={model}", "data=ring", *EXTRA.get(("model", model), [])))


KINDS = ("conv", "dcgan", "dirac", "ladder", "mlp", "vdvae", "vq")
"""Networks that differ in the families they serve."""


@pytest.mark.parametrize(
    "network", [n if n in KINDS else pytest.param(n, marks=pytest.mark.slow) for n in OPTIONS["network"]]
)
def test_every_network_serves_a_family_or_says_which_it_lacks(network):
    served = []
    for model in ("gan", "vae", "code_prior", "ladder_vae"):
        data = "ring" if network == "dirac" else "cifar10"
        cfg = compose_(f"model={model}", f"network={network}", f"data={data}", "classes=10")
        try:
            check(cfg)
        except ConfigError as error:
            fix = {"code_prior": "network=vq", "ladder_vae": "network=ladder"}.get(model, "network=mlp")
            assert f"network={network} offers only" in str(error) and fix in str(error)
            continue
        served.append(build(cfg.model))
    assert served


def weights(part):
    torch.manual_seed(0)
    return torch.cat([weight.flatten() for weight in build(part).parameters() if weight.ndim > 1]).detach()


@pytest.mark.parametrize("option", OPTIONS["init"])
def test_every_initialiser_replaces_that_of_one_part(option):
    usual, cfg = compose_("network=dcgan"), compose_("network=dcgan", f"init@network.critic.init={option}")
    assert cfg.network.critic.init == yaml.safe_load((CONF / "init" / f"{option}.yaml").read_text())
    assert cfg.network.generator == usual.network.generator
    same = torch.equal(weights(cfg.network.critic), weights(usual.network.critic))
    assert same == (option == "normal")


@pytest.mark.parametrize(
    ("network", "part", "other", "std"),
    [("dcgan", "critic", "generator", 0.02), ("aevb", "encoder.network", "decoder", 0.01)],
)
def test_a_number_of_an_initialiser_is_set_for_one_part(network, part, other, std):
    cfg = compose_(f"network={network}", f"network.{part}.init.std=0.1")
    assert weights(OmegaConf.select(cfg.network, part)).std().item() == pytest.approx(0.1, rel=0.01)
    assert weights(cfg.network[other]).std().item() == pytest.approx(std, rel=0.01)


def test_shared_files_are_no_choices():
    for group in ("model", "network"):
        assert list((CONF / group).glob("_*.yaml")) and choices(group) == OPTIONS[group]


@pytest.mark.slow  # a second or two for each
@pytest.mark.parametrize("experiment", OPTIONS["experiment"])
def test_every_leaf_of_an_experiment_changes_something(experiment):
    text = yaml.safe_load((CONF / "experiment" / f"{experiment}.yaml").read_text())
    groups = [
        f"{key.removeprefix('override /')}={value}"
        for entry in text.pop("defaults", [])
        if isinstance(entry, dict)
        for key, value in entry.items()
    ]
    without = compose_(*groups)
    for path, value in leaves(text):
        assert OmegaConf.select(without, path, throw_on_missing=False) != value, f"{path}={value} is what it is anyway"
    for group in groups:
        name, _, choice = group.partition("=")
        others = [g for g in groups if g != group]
        assert compose_(*others) != compose_(*groups), f"{group} is what it is anyway"
        assert choice in OPTIONS[name.partition("@")[0]]


def test_the_rescued_gan_is_the_article_s_with_another_constraint_and_learning_rate():
    before, after = (flat(compose_(f"experiment={name}")) for name in ("article_gan", "article_gan_rescued"))
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert changed == {"constraint._target_", "constraint.weight", "constraint.every", "optimizer.lr"}
    assert (after["constraint._target_"], after["constraint.weight"]) == ("ganvas.objectives.R1", 10)
    searched = yaml.safe_load((CONF / "sweep" / "article_rescue.yaml").read_text())["params"]
    assert "r1" in searched["constraint"] and before["optimizer.lr"] == 1e-4 and after["optimizer.lr"] == 1e-3


def test_the_command_line_beats_the_model_and_the_experiment_beats_both():
    assert compose_("model=vae", "network=conv").network.name == "conv"
    assert compose_("experiment=article_gan").network.name == "article"
    assert compose_("experiment=article_gan", "network=mlp").network.name == "mlp"


def test_a_packed_critic_reads_packs():
    cfg = compose_("model=pacgan", "data=cifar10", "model.critic.pack=4")
    assert list(cfg.network.critic.shape) == [12, 32, 32]
    assert build(cfg.model).critic.shape == (3, 32, 32)


@pytest.mark.parametrize(("model", "network"), [("cgan", "dcgan"), ("cwgan_gp", "mlp"), ("cgan", "maxout")])
def test_networks_that_take_classes_as_inputs_have_room_for_them(model, network):
    cfg = compose_(f"model={model}", f"network={network}", "classes=4", "prior.dim=7")
    critic = cfg.network.critic.get("network", cfg.network.critic)
    assert cfg.network.generator.latent_dim == 11 and list(critic.shape) == [5, 28, 28]
    built = build(cfg.model)
    assert built.classes == 4 and built.sample(2, seed=0).shape == (2, 1, 28, 28)


def test_a_pack_has_the_classes_of_each_example():
    packed = "{_target_: ganvas.networks.Packed, critic: '${network.critic}', pack: 2}"
    cfg = compose_("model=cgan", "classes=4", f"model.critic.critic={packed}".replace("_target_: ", "_target_:"))
    assert list(cfg.network.critic.shape) == [10, 28, 28] and build(cfg.model).pack == 2


@pytest.mark.parametrize("network", ["dcgan", "mlp", "resnet", "sngan_resnet", "r3gan"])
def test_an_override_of_the_generator_is_one_of_the_conditional_generator(network):
    key, value = {"dcgan": ("channels", [8, 4]), "mlp": ("hidden", [8])}.get(network, ("channels", 8))
    cfg = compose_(f"network={network}", f"network.generator.{key}={value}", "data=cifar10")
    assert cfg.network.conditional_generator[key] == cfg.network.generator[key] == value


def test_a_network_without_the_parts_is_refused_by_name():
    with pytest.raises(ConfigError, match="encoder and decoder, but network=dcgan offers only generator and critic"):
        check(compose_("model=vae", "network=dcgan"))
    with pytest.raises(ConfigError, match="generator and critic, but network=conv offers only encoder and decoder"):
        check(compose_("model=gan", "network=conv"))
    with pytest.raises(ConfigError, match="conditional_generator and critic, but network=maxout offers only generator"):
        check(compose_("model=projection_gan", "network=maxout"))


@pytest.mark.parametrize(
    ("line", "sizes"),
    [
        (["quantiser=fsq", "quantiser.levels=[3,4,2]"], (3, 24, 1)),
        (["quantiser=residual_vq", "quantiser.codes=9"], (16, 9, 4)),
        (["quantiser=vq", "quantiser.dim=5"], (5, 128, 1)),
    ],
)
def test_networks_have_the_sizes_of_the_quantiser(line, sizes):
    cfg = compose_("model=code_prior", *line)
    network = cfg.network
    assert (network.grid_encoder.latent_dim, network.predictor.codes, network.predictor.depth) == sizes
    assert network.grid_decoder.latent_dim == sizes[0]
    assert build(cfg.model).quantiser.codes == sizes[1]


def test_a_model_with_codes_on_points_says_so():
    with pytest.raises(ConfigError, match="network=mlp offers only .* write network=vq"):
        check(compose_("model=vq_vae", "data=ring"))
    with pytest.raises(ConfigError, match=r"network 'vq': argument `shape` is \(2,\); .* multiples of 4"):
        build(compose_("model=vq_vae", "data=ring", "network=vq").model)


def test_a_missing_value_is_named():
    with pytest.raises(ConfigError, match=r"no value for data.path; write data.path=VALUE"):
        check(compose_("data=folder"))


def test_a_class_says_itself_what_it_refuses():
    with pytest.raises(ConfigError, match="write constraint=gradient_penalty"):
        build(compose_("model=wgan_gp", "constraint=none").model)


@pytest.mark.parametrize("optimizer", OPTIONS["optimizer"])
@pytest.mark.parametrize(
    "model", ["gan", "vae", *(pytest.param(model, marks=pytest.mark.slow) for model in ("wgan", "wgan_gp"))]
)
def test_every_model_takes_every_optimizer(model, optimizer):
    """A model's own choice of optimiser is an option of the group, so that another replaces it whole."""
    built = build(compose_(f"model={model}", f"optimizer={optimizer}").model)
    assert built.configure_optimizers()


PROMISED = ("ganvas.networks.", "ganvas.networks.init.", "torch.optim.", "torch.nn.init.")
"""Namespaces whose modules are public names: a network family is one file, which its config names."""


def targets(node):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "_target_":
            yield value
        elif isinstance(value, dict | list):
            yield from targets(value)


def assert_public(target):
    """An export of a package, or a name in a namespace that the package promises: no place of a file."""
    module, _, name = target.rpartition(".")
    if module.startswith("torch."):
        assert f"{module}." in PROMISED and hasattr(importlib.import_module(module), name)
    elif module.count(".") == 1:
        assert name in importlib.import_module(module).__all__, target
    else:
        assert target.startswith(PROMISED) and module.count(".") == 2, target


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.relative_to(CONF).as_posix())
def test_targets_are_exports_wherever_their_files_lie(path):
    written = yaml.safe_load(path.read_text()) or {}
    for target in targets({key: value for key, value in written.items() if key != "hydra"}):
        assert_public(target)


def test_a_stored_config_names_exports():
    cfg = OmegaConf.to_container(compose_("model=vae", "data=ring", "prior=mixture"), resolve=True)
    assert len(found := list(targets(cfg))) > 8
    for target in found:
        assert_public(target)


def test_composing_imports_nothing_heavy():
    program = """
import sys
sys.argv = ["ganvas"]
from ganvas.cli import main
try:
    main(["train", "model=wgan_gp", "--cfg", "job"])
except SystemExit:
    pass
heavy = ("torch", "mlflow", "pytorch_lightning", "pandas", "optuna", "matplotlib")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "n_critic: 5" in done.stdout and done.stderr.strip() == "[]"


def test_lists_arrive_as_lists():
    cfg = compose_("model=gan")
    assert isinstance(cfg, DictConfig)
    optimizer = build(cfg.model).configure_optimizers()[0]
    assert tuple(optimizer.defaults["betas"]) == (0.5, 0.999)
    assert not OmegaConf.is_config(optimizer.defaults["betas"])
