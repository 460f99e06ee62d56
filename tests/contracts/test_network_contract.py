"""Every slot of every shipped conf/network/*.yaml, on every kind of example: it serves it, or says what to do."""

from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf
from torch.distributions import Independent, Normal

from ganvas.types import Critic, Decoder, Encoder, Generator

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "network").glob("*.yaml"))
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 64, 64), (2,)]
LATENT = 6
BATCH = 3
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
    *(("resnet", slot, shape) for slot in ("generator", "critic") for shape in ((2,), (1, 28, 28))),
}


def raw(name):
    # The critic's resolver belongs to the application; without packing it is the data's shape.
    text = (CONF / "network" / f"{name}.yaml").read_text().replace("${critic_shape:}", "${data.shape}")
    return OmegaConf.create(text)


SLOTS = [(name, slot) for name in NAMES for slot in raw(name) if slot != "name"]
CASES = [(name, slot, shape) for name, slot in SLOTS for shape in SHAPES]
SERVED = [case for case in CASES if case not in REFUSED]
SMALL = [case for case in SERVED if case[2] in ((3, 32, 32), (2,))]  # enough where size changes nothing


def build(name, slot, shape, seed=0):
    root = OmegaConf.create({"data": {"shape": list(shape)}, "prior": {"dim": LATENT}, "network": raw(name)})
    torch.manual_seed(seed)
    return hydra.utils.instantiate(root.network[slot], _convert_="all")


def example(slot, shape, n=BATCH, seed=1):
    source = torch.Generator().manual_seed(seed)
    if slot in ("generator", "decoder"):
        return torch.randn(n, LATENT, generator=source)
    return torch.rand(n, *shape, generator=source) * 2 - 1


def tensors(output):
    return torch.cat([output.mean, output.stddev], 1) if isinstance(output, Independent) else output


def test_the_suite_sees_the_shipped_networks():
    assert {"mlp", "article", "dcgan", "infogan", "resnet", "maxout", "conv"} <= set(NAMES)
    assert set(CASES) >= REFUSED


@pytest.mark.parametrize("name", NAMES)
def test_config_names_itself_and_takes_sizes_from_data_and_prior(name):
    config = OmegaConf.to_container(OmegaConf.load(CONF / "network" / f"{name}.yaml"), resolve=False)
    assert config.pop("name") == name
    assert set(config) <= {"generator", "critic", "encoder", "decoder"}
    for slot, outer in config.items():
        node = outer.get("network", outer)  # behind a change of range
        assert node["shape"] == ("${critic_shape:}" if slot == "critic" else "${data.shape}")
        assert slot == "critic" or node["latent_dim"] == "${prior.dim}"


@pytest.mark.parametrize("name, slot, shape", sorted(REFUSED, key=str))
def test_refuses_with_a_fix(name, slot, shape):
    with pytest.raises(Exception) as caught:  # Hydra wraps the error of the constructor
        build(name, slot, shape)
    error = caught.value.__cause__ or caught.value
    assert isinstance(error, ValueError)
    # a part that is borrowed or wrapped speaks for itself
    for part in ("network '", "`shape`", str(shape), "serves", "Fix: ", "network="):
        assert part in str(error)


@pytest.mark.parametrize("name, slot, shape", SERVED)
def test_serves(name, slot, shape):
    net = build(name, slot, shape)
    protocol = {"generator": Generator, "critic": Critic, "encoder": Encoder, "decoder": Decoder}[slot]
    assert isinstance(net, protocol)
    assert net.shape == shape and isinstance(net.shape, tuple)
    assert slot == "critic" or net.latent_dim == LATENT

    output = net(example(slot, shape))
    if slot == "encoder":
        assert isinstance(output, Independent) and isinstance(output.base_dist, Normal)
        assert output.batch_shape == (BATCH,) and output.event_shape == (LATENT,)
        assert output.stddev.min() > 0 and not output._validate_args and not output.base_dist._validate_args
    else:
        assert output.shape == ((BATCH,) if slot == "critic" else (BATCH, *shape))
    values = tensors(output)
    assert values.dtype == torch.float32 and values.isfinite().all()
    if slot == "generator" and len(shape) == 3:
        assert values.abs().max() <= 1

    weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(2))
    (values * weights).sum().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name, slot, shape", SMALL)
def test_evaluation_treats_examples_one_by_one(name, slot, shape):
    net = build(name, slot, shape)
    with torch.no_grad():
        net(example(slot, shape))  # running statistics leave their start
        net.eval()
        x = example(slot, shape, seed=3)
        together = tensors(net(x))
        alone = torch.cat([tensors(net(x[i : i + 1])) for i in range(BATCH)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name, slot, shape", SMALL)
def test_seed_decides_the_start_and_a_state_dict_restores_it(name, slot, shape):
    net, twin, other = build(name, slot, shape), build(name, slot, shape), build(name, slot, shape, seed=7)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), twin.state_dict().values(), strict=True))
    x = example(slot, shape)
    with torch.no_grad():
        net.eval(), other.eval()
        assert not torch.equal(tensors(net(x)), tensors(other(x)))
        other.load_state_dict(net.state_dict())
        assert torch.equal(tensors(net(x)), tensors(other(x)))


@pytest.mark.parametrize("name, slot, shape", [case for case in SMALL if case[1] == "critic"])
def test_critic_is_twice_differentiable(name, slot, shape):
    net = build(name, slot, shape).eval()  # a penalty on the input's gradient reaches the weights
    x = example(slot, shape).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


@pytest.mark.parametrize("name", ["normal", "uniform", "mixture"])
def test_shipped_priors_are_priors(name):
    from ganvas.testing import check_prior
    from ganvas.types import Prior

    prior = hydra.utils.instantiate(OmegaConf.load(CONF / "prior" / f"{name}.yaml"))
    assert isinstance(prior, Prior) and prior.dim == 64
    check_prior(prior)
