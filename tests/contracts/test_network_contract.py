"""Every slot of every shipped conf/network/*.yaml, on every kind of example: it serves it, or says what to do."""

from functools import cache
from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from ganvas.config import compose
from ganvas.networks import patch
from ganvas.testing import (
    ConditionalCriticContract,
    ConditionalGeneratorContract,
    CriticContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    GridDecoderContract,
    GridEncoderContract,
    HierarchyContract,
    PredictorContract,
)

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "network").glob("[!_]*.yaml"))
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 64, 64), (1, 28, 20), (2,)]
FREY = SHAPES[3]  # images of which no side is a power of two, and that are not square
LATENT = 6
CLASSES = 3
# The contract asks nothing of the width: wide networks are built as narrow as their configs allow.
NARROW = {
    "resnet": ["generator.channels=8", "critic.channels=8"],
    "pythae_cifar": ["encoder.network.channels=[4,4,4,4]", "decoder.channels=[4,4,4]"],
    "pythae_mnist": ["encoder.network.channels=[4,4,4,4]", "decoder.channels=[4,4,4]"],
    "resnet_vae": ["encoder.channels=[4,4]", "decoder.channels=[4,4]"],
    **dict.fromkeys(("ladder", "bottom_up"), ["hierarchy.groups=[2,3,4]", "hierarchy.hidden=[5,6,7]"]),
    "vdvae": [
        *("hierarchy.width=4", "hierarchy.middle=3", "hierarchy.latents=2"),
        *("hierarchy.blocks=[1,2,0,0,1]", "hierarchy.encoder_blocks=[1,0,1,0,1]"),
    ],
    "biggan": ["generator.channels=1", "conditional_generator.embedding=2", "critic.channels=1"],
    "r3gan": ["generator.channels=8", "critic.channels=8"],
    "sagan": ["generator.channels=1", "critic.channels=1"],
    "sngan_resnet": ["generator.channels=4", "critic.channels=4"],
    "stylegan2": ["generator.channels=4", "generator.style_dim=4", "critic.channels=4"],
}
VAES = ["resnet_vae", "pythae_cifar", "pythae_mnist"]
HIERARCHIES = ["ladder", "bottom_up", "vdvae"]
TODAYS = [name for name in NARROW if name not in ("resnet", *VAES, *HIERARCHIES)]
LARGE = (3, 128, 128)  # which these serve too
# The slots and shapes that a network states it cannot serve; everything else must be served.
REFUSED = {
    ("article", "critic", (2,)),
    ("conv", "encoder", (2,)),
    ("conv", "decoder", (2,)),
    ("dcgan", "generator", (2,)),
    ("dcgan", "critic", (2,)),
    *(("infogan", slot, (2,)) for slot in ("generator", "critic", "encoder", "decoder")),
    *((network, "encoder", (2,)) for network in ("aevb", "examples", "iwae")),
    *(("maxout", slot, (2,)) for slot in ("generator", "critic")),
    ("wgan_mlp", "critic", (2,)),
    ("dcgan", "conditional_generator", (2,)),
    *(
        ("resnet", slot, shape)
        for slot in ("generator", "conditional_generator", "critic")
        for shape in ((2,), (1, 28, 28), FREY)
    ),
    *(
        (network, slot, shape)
        for network in TODAYS
        for slot in ("generator", "critic", "conditional_generator")
        for shape in ((2,), FREY)
    ),
    *((network, "conditional_critic", shape) for network in ("r3gan", "stylegan2") for shape in ((2,), FREY)),
    *(("dirac", slot, shape) for slot in ("generator", "critic") for shape in SHAPES[:4]),
    *((network, slot, (2,)) for network in VAES for slot in ("encoder", "decoder")),
    *(("cgan", slot, (2,)) for slot in ("conditional_generator", "conditional_critic")),
    *(("vq", slot, (2,)) for slot in ("grid_encoder", "grid_decoder")),
    ("vdvae", "hierarchy", (2,)),
}


@cache
def composed(name):
    narrow = [f"network.{width}" for width in NARROW.get(name, [])]
    return OmegaConf.to_container(compose(f"network/{name}", narrow).network, resolve=False)


# A slot that is another one by reference is not listed.
SLOTS = [(name, slot) for name in NAMES for slot, node in composed(name).items() if isinstance(node, dict)]
CASES = [(name, slot, shape) for name, slot in SLOTS for shape in SHAPES]
# The paper states the widths of infogan, so at 64 pixels each of its networks has 33 million weights. A predictor reads
# codes, which have no shape of examples.
SERVED = [
    case
    for case in CASES
    if case not in REFUSED
    and (case[0], case[2]) != ("infogan", (1, 64, 64))
    and (case[1] != "predictor" or case[2] == SHAPES[0])
]

# The first shape of each slot, the odd one and points run in the unit suite; further sizes in the slow one.
FIRST = {case[:2]: case for case in reversed(SERVED)}
QUICK = [case for case in SERVED if case == FIRST[case[:2]] or case[2] in (FREY, (2,))]


def marked(cases):
    """Parameters of which those for further sizes are slow."""
    return [pytest.param(case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in cases]


def build(name, slot, shape, likelihood="bernoulli"):
    sizes = {"data": {"shape": list(shape)}, "prior": {"dim": LATENT}, "classes": CLASSES}
    posterior = OmegaConf.load(CONF / "posterior" / "normal.yaml")
    likelihood = OmegaConf.load(CONF / "likelihood" / f"{likelihood}.yaml")
    quantiser = {"codes": 7, "dim": LATENT, "depth": 2}
    parts = {"posterior": posterior, "likelihood": likelihood, "quantiser": quantiser, "network": composed(name)}
    root = OmegaConf.create({**sizes, **parts})
    return hydra.utils.instantiate(root.network[slot], _convert_="all")


def test_the_suite_sees_the_shipped_networks():
    assert {"mlp", "article", "dcgan", "infogan", "resnet", "maxout", "conv", *VAES, *HIERARCHIES} <= set(NAMES)
    assert set(CASES) >= REFUSED


@pytest.mark.parametrize("name", NAMES)
def test_config_names_itself_and_takes_sizes_from_data_and_prior(name):
    config = composed(name)
    assert config["name"] == name
    assert set(config) <= {
        "name",
        "generator",
        "conditional_generator",
        "critic",
        "conditional_critic",
        "encoder",
        "decoder",
        "grid_encoder",
        "grid_decoder",
        "predictor",
        "hierarchy",
    }
    for slot, outer in config.items():
        if not isinstance(outer, dict):
            continue
        node = outer.get("network", outer)  # behind a change of range
        if slot == "predictor":
            assert (node["codes"], node["depth"]) == ("${quantised:codes}", "${quantised:depth}")
            continue
        shapes = {
            "critic": "${critic_shape:}",
            "conditional_critic": "${critic_shape:}",
            "encoder": "${encoder_shape:}",
        }
        assert node["shape"] == shapes.get(slot, "${data.shape}")
        dim = "${quantised:dim}" if slot.startswith("grid") else "${prior.dim}"
        dim = "${decoder_latents:}" if slot == "decoder" else dim
        assert slot.endswith("critic") or slot == "hierarchy" or node["latent_dim"] == dim


@pytest.mark.parametrize("name, slot, shape", sorted(REFUSED, key=str))
def test_refuses_with_a_fix(name, slot, shape):
    with pytest.raises(Exception) as caught:  # Hydra wraps the error of the constructor
        build(name, slot, shape)
    error = caught.value.__cause__ or caught.value
    assert isinstance(error, ValueError)
    # a part that is borrowed or wrapped speaks for itself
    for part in ("network '", "`shape`", str(shape), "serves", "Fix: ", "network="):
        assert part in str(error)


def every(slot):
    """Parametrised fixture over all shapes that the shipped networks serve in a slot."""
    cases = [case for case in SERVED if case[1] == slot]
    return pytest.fixture(params=marked(cases), ids=lambda case: f"{case[0]}-{'x'.join(map(str, case[2]))}")


class TestGenerator(GeneratorContract):
    @every("generator")
    def build(self, request):
        return lambda: build(*request.param)


class TestConditionalGenerator(ConditionalGeneratorContract):
    @every("conditional_generator")
    def build(self, request):
        return lambda: build(*request.param)


class TestCritic(CriticContract):
    @every("critic")
    def build(self, request):
        return lambda: build(*request.param)


class TestPatchCritic(CriticContract):
    """The critic of model=vqgan, which is in no network's config."""

    @pytest.fixture(params=[*SHAPES[:2], FREY], ids=str)
    def build(self, request):
        return lambda: patch.Critic(request.param, [3, 4], False, torch.nn.init.xavier_uniform_)

    @pytest.mark.parametrize("shape", [(2,), (1, 7, 28)])
    def test_refuses_with_a_fix(self, shape):
        with pytest.raises(ValueError, match=r"network 'patch': argument `shape` is .*; it serves .*\. Fix: "):
            patch.Critic(shape, [3, 4], False, torch.nn.init.xavier_uniform_)


class TestConditionalCritic(ConditionalCriticContract):
    @every("conditional_critic")
    def build(self, request):
        return lambda: build(*request.param)


class TestEncoder(EncoderContract):
    @every("encoder")
    def build(self, request):
        return lambda: build(*request.param)


class TestDecoder(DecoderContract):
    @every("decoder")
    def build(self, request):
        return lambda: build(*request.param)


class TestGridEncoder(GridEncoderContract):
    @every("grid_encoder")
    def build(self, request):
        return lambda: build(*request.param)


class TestGridDecoder(GridDecoderContract):
    @every("grid_decoder")
    def build(self, request):
        return lambda: build(*request.param)


class TestHierarchy(HierarchyContract):
    @every("hierarchy")
    def build(self, request):
        return lambda: build(*request.param)


class TestPredictor(PredictorContract):
    @every("predictor")
    def build(self, request):
        return lambda: build(*request.param)


@pytest.mark.parametrize("case", marked(SERVED), ids=str)
def test_has_the_sizes_that_data_and_prior_have(case):
    name, slot, shape = case
    net = build(name, slot, shape)
    if slot == "predictor":
        assert (net.codes, net.depth) == (7, 2)
        return
    assert net.shape == shape
    assert slot.endswith("critic") or slot == "hierarchy" or net.latent_dim == LATENT


@pytest.mark.parametrize("case", marked(case for case in SERVED if case[1] == "hierarchy"), ids=str)
def test_a_hierarchy_has_as_many_outputs_as_the_likelihood_asks_for(case):
    net, shape = build(*case, likelihood="logistic_mixture"), case[2]
    per_component = {1: 3, 2: 6, 3: 10}[shape[0]]
    with torch.no_grad():
        assert net(torch.randn(2, sum(net.groups))).shape == (2, 10 * per_component, *shape[1:])


@pytest.mark.parametrize("case", marked(case for case in SERVED if case[1] == "decoder"), ids=str)
def test_a_decoder_has_as_many_outputs_as_the_likelihood_asks_for(case):
    net, shape = build(*case, likelihood="logistic_mixture"), case[2]
    per_component = {1: 3, 2: 6, 3: 10}[shape[0]]
    with torch.no_grad():
        assert net(torch.randn(2, LATENT)).shape == (2, 10 * per_component, *shape[1:])
    assert net.shape == shape


@pytest.mark.parametrize("name", TODAYS)
def test_serves_large_images(name):
    slots = [slot for slot in composed(name) if slot != "name"]
    networks = {slot: build(name, slot, LARGE) for slot in slots}
    with torch.no_grad():
        images = networks["generator"](torch.randn(2, LATENT))
        assert images.shape == (2, *LARGE)
        assert networks["critic"](images).shape == (2,)
        assert networks["conditional_generator"](torch.randn(2, LATENT), torch.arange(2)).shape == images.shape
